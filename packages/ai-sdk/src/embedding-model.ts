import type { EmbeddingModelV4 } from "@ai-sdk/provider";
import type { EncodedAs, MedleyClient } from "@medley/client";

export interface MedleyEmbeddingModelOptions {
  readonly client: MedleyClient;
  readonly collection: string;
  /** One that reads texts. */
  readonly space: string;
  /** What the texts are: of searches (default), or of records. Some models put other words before either. */
  readonly as?: EncodedAs;
}

// What a request of the client holds.
const textsMax = 64;

/** A space's encoder as a model for `embed` and `embedMany` of the AI SDK: what it gives is what the space's rows are searched by. */
export function medleyEmbedding({
  client,
  collection,
  space,
  as = "query",
}: MedleyEmbeddingModelOptions): EmbeddingModelV4 {
  return {
    specificationVersion: "v4",
    provider: "medley",
    modelId: `${collection}.${space}`,
    maxEmbeddingsPerCall: textsMax,
    supportsParallelCalls: true,
    doEmbed: async ({ values, abortSignal: signal }) => ({
      embeddings: await client.encode({ collection, space, inputs: values, as, signal }),
      warnings: [],
    }),
  };
}
