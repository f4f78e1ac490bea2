export { type MedleyEmbeddingModelOptions, medleyEmbedding } from "./embedding-model.ts";
