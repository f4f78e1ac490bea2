import { Embeddings } from "@langchain/core/embeddings";
import type { MedleyClient } from "@medley/client";

export interface MedleyEmbeddingsOptions {
  readonly client: MedleyClient;
  readonly collection: string;
  /** One that reads texts. */
  readonly space: string;
}

/** Texts as one space of a collection sees them: documents as its records, queries as its searches. */
export class MedleyEmbeddings extends Embeddings {
  readonly #options: MedleyEmbeddingsOptions;

  constructor(options: MedleyEmbeddingsOptions) {
    // The client has its own tries: those of LangChain would multiply them.
    super({ maxRetries: 0 });
    this.#options = options;
  }

  embedDocuments(documents: string[]): Promise<number[][]> {
    return this.#encode(documents, "record");
  }

  async embedQuery(document: string): Promise<number[]> {
    const [segment] = await this.#encode([document], "query");
    return segment as number[];
  }

  #encode(inputs: readonly string[], as: "record" | "query"): Promise<number[][]> {
    const { client, collection, space } = this.#options;
    return client.encode({ collection, space, inputs, as });
  }
}
