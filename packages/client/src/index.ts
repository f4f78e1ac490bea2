export { MedleyError } from "@medley/core";
export type { CollectionDescription, RecordsAnswer, SearchAnswer, SearchHit } from "@medley/http";
export type { EncodedAs, SearchQuery } from "@medley/pipeline";
export { type EncodeRequest, MedleyClient, type MedleyClientOptions } from "./client.ts";
