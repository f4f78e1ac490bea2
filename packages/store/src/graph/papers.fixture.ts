import { createHash } from "node:crypto";
import {
  type Collection,
  checkConfig,
  type NodeInput,
  type SegmentLayout,
  segmentHashBytes,
  type VectorEnvelope,
  version,
} from "@medley/core";
import type { CollectionLayout } from "../migrations/collection-tables.ts";

export type Edges = NodeInput["edges"];

/** A year (2 dimensions), a title that no neighbour hears of (2), and what GraphSAGE makes of the year (4). */
export function papersLayout(name: string): CollectionLayout & { layout: readonly SegmentLayout[] } {
  const fields = { year: "number", pages: "number", cites: "edges" };
  const spaces = {
    year: { encoder: "number", field: "year", range: [1900, 2030] },
    pages: { encoder: "number", field: "pages", range: [0, 100] },
    graph: { encoder: "graphsage", field: "cites", features: ["year"], dimensions: 4 },
  };
  const [collection] = checkConfig({ collections: { [name]: { fields, spaces } } }) as [Collection];
  return {
    collection,
    layout: [
      { space: "year", offset: 0, dimensions: 2, encoderIdentity: "year-encoder" },
      { space: "pages", offset: 2, dimensions: 2, encoderIdentity: "pages-encoder" },
      { space: "graph", offset: 4, dimensions: 4, encoderIdentity: "graph-encoder" },
    ],
  };
}

export const graphHashFrom = 2 * segmentHashBytes;

export function yearHash(year: number): Uint8Array {
  return createHash("sha256").update(`year ${year}`).digest().subarray(0, segmentHashBytes);
}

/** What the graph's segment is made of. */
export function graphHash(ownYearHash: Uint8Array, edges: Edges, state: Uint8Array): Uint8Array {
  const sorted = Object.entries(edges).sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash("sha256").update(ownYearHash).update(JSON.stringify(sorted)).update(state);
  return hash.digest().subarray(0, segmentHashBytes);
}

/** A segment that only this hash has. */
export function graphSegment(hash: Uint8Array): Float16Array {
  return Float16Array.from(hash.subarray(0, 4));
}

export interface Paper {
  readonly id: string;
  readonly version: number;
  readonly year: number;
  readonly pages?: number;
  readonly edges: Edges;
}

/** `state`: of the neighbourhood that was read for it. */
export function paper(
  { id, version: of, year, pages = 0, edges }: Paper,
  state: Uint8Array = new Uint8Array(0),
): VectorEnvelope {
  const hash = graphHash(yearHash(year), edges, state);
  const pagesHash = new Uint8Array(segmentHashBytes).fill(pages);
  return {
    ...{ id, version: version(BigInt(of)), op: "upsert", source: "test" },
    fields: { year, pages, cites: edges },
    vector: Float16Array.from([year, 1, pages, 1, ...graphSegment(hash)]),
    segmentHashes: Buffer.concat([yearHash(year), pagesHash, hash]),
  };
}
