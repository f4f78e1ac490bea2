export { MedleyEmbeddings, type MedleyEmbeddingsOptions } from "./embeddings.ts";
export { type MedleyFilter, MedleyVectorStore, type MedleyVectorStoreOptions } from "./vector-store.ts";
