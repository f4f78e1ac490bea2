import { randomUUID } from "node:crypto";
import { Document, type DocumentInterface } from "@langchain/core/documents";
import { type MaxMarginalRelevanceSearchOptions, VectorStore } from "@langchain/core/vectorstores";
import { type MedleyClient, MedleyError, type SearchQuery } from "@medley/client";
import { MedleyEmbeddings } from "./embeddings.ts";

export interface MedleyVectorStoreOptions {
  readonly client: MedleyClient;
  readonly collection: string;
  /** The space that a search's words are said to; it reads texts. */
  readonly space: string;
  /** The field that is a document's `pageContent`; the others are its metadata. Default: called as the space. */
  readonly contentField?: string;
  /** The key of a record that is a document's id. Default `id`. */
  readonly idKey?: string;
  /** What every search says besides: weights, parts of other spaces, a user. */
  readonly query?: Omit<SearchQuery, "filter" | "k">;
}

/** Conditions on fields, as in every search of Medley: `{year: {gte: 1990}}`. */
export type MedleyFilter = NonNullable<SearchQuery["filter"]>;

/**
 * A collection as LangChain's vector store. Medley encodes documents and searches itself, so a search is one call, weighs all spaces
 * and scores by them. Documents are found once the indexer has them, usually within a second.
 */
export class MedleyVectorStore extends VectorStore {
  declare FilterType: MedleyFilter;
  readonly #options: Required<MedleyVectorStoreOptions>;

  constructor(options: MedleyVectorStoreOptions) {
    super(new MedleyEmbeddings(options), {});
    const { space, contentField = space, idKey = "id", query = {} } = options;
    this.#options = { ...options, contentField, idKey, query };
  }

  _vectorstoreType(): string {
    return "medley";
  }

  /** The same store, whose searches say this besides. */
  withQuery(query: MedleyVectorStoreOptions["query"]): MedleyVectorStore {
    return new MedleyVectorStore({ ...this.#options, query: { ...this.#options.query, ...query } });
  }

  /**
   * Upserts by id (of `options.ids`, else the document's own, else a new one); resolves with the ids once all are durable. Throws
   * the first problem where some are refused.
   */
  override async addDocuments(
    documents: DocumentInterface[],
    options: { readonly ids?: readonly string[] } = {},
  ): Promise<string[]> {
    const { client, collection, contentField, idKey } = this.#options;
    const ids = documents.map(({ id }, at) => options.ids?.[at] ?? id ?? randomUUID());
    const records = documents.map(({ pageContent, metadata }, at) => ({
      ...metadata,
      [contentField]: pageContent,
      [idKey]: ids[at],
    }));
    await client.sendAll(collection, records);
    return ids;
  }

  override async addVectors(): Promise<never> {
    throw new MedleyError("usage", "Medley encodes documents itself", { mend: "call addDocuments" });
  }

  override async delete({ ids }: { readonly ids: readonly string[] }): Promise<void> {
    const { client, collection, idKey } = this.#options;
    const deletes = ids.map((id) => ({ [idKey]: id, _op: "delete" }));
    await client.sendAll(collection, deletes);
  }

  override async similaritySearch(query: string, k = 4, filter?: MedleyFilter): Promise<DocumentInterface[]> {
    return (await this.similaritySearchWithScore(query, k, filter)).map(([document]) => document);
  }

  /** The score is the sum over spaces of weight x cosine. */
  override similaritySearchWithScore(
    query: string,
    k = 4,
    filter?: MedleyFilter,
  ): Promise<[DocumentInterface, number][]> {
    return this.#search(query, k, filter);
  }

  /** `lambda` is LangChain's share of relevance, default .5; Medley's `diversity` is the rest. Chooses among five times `k`. */
  override async maxMarginalRelevanceSearch(
    query: string,
    { k, lambda = 0.5, filter }: MaxMarginalRelevanceSearchOptions<MedleyFilter>,
  ): Promise<DocumentInterface[]> {
    const found = await this.#search(query, k, filter, { diversity: 1 - lambda });
    return found.map(([document]) => document);
  }

  /** `query` is a segment of the space, as `embeddings.embedQuery` gives it. */
  override similaritySearchVectorWithScore(
    query: number[],
    k: number,
    filter?: MedleyFilter,
  ): Promise<[DocumentInterface, number][]> {
    return this.#search(query, k, filter);
  }

  async #search(
    part: string | readonly number[],
    k: number,
    filter: MedleyFilter | undefined,
    extras: Pick<SearchQuery, "diversity"> = {},
  ): Promise<[DocumentInterface, number][]> {
    const { client, collection, space, contentField, query } = this.#options;
    const asked = {
      ...query,
      ...extras,
      parts: { ...query.parts, [space]: part },
      k,
      ...(filter === undefined ? {} : { filter }),
    };
    const { hits } = await client.search(collection, asked);
    return hits.map(({ id, score, fields }) => {
      const { [contentField]: content, ...metadata } = fields;
      const pageContent = typeof content === "string" ? content : "";
      return [new Document({ id, pageContent, metadata }), score];
    });
  }
}
