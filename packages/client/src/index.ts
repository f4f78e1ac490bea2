export { MedleyError, type SearchQuery } from "@medley/core";
export type {
  CollectionDescription,
  RecordsAnswer,
  SearchAnswer,
  SearchBatchAnswer,
  SearchFailure,
  SearchHit,
} from "@medley/http";
export type { EncodedAs } from "@medley/pipeline";
export { type EncodeRequest, MedleyClient, type MedleyClientOptions, type SearchRequest } from "./client.ts";
