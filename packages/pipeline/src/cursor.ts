import { type HitPlace, identityOf, MedleyError, type SearchQuery } from "@medley/core";
import type { CollectionEncoders } from "./collection-encoders.ts";
import { weighedByClass } from "./query-class.ts";

/** Where a page ended, and what *now* is for recency on all pages. */
export interface PageEnd {
  readonly hit: HitPlace;
  readonly atMs: number;
}

const cursorVersion = 1;
export const cursorCharsMax = 4_096;

/** A page's end as text, for the next page of the same search: about 100 characters beside the hit's id. */
export function writeCursor(opened: CollectionEncoders, query: SearchQuery, { hit, atMs }: PageEnd): string {
  const parts = [cursorVersion, searchIdentity(opened, query), atMs, hit.place, hit.score, hit.id];
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/** Throws `query_invalid` for a text that is no cursor, and for one of another search. */
export function readCursor(opened: CollectionEncoders, query: SearchQuery, cursor: string): PageEnd {
  const [version, identity, atMs, place, score, id, ...rest] = partsOf(cursor);
  const isWhole =
    version === cursorVersion &&
    typeof identity === "string" &&
    isCount(atMs) &&
    isCount(place) &&
    Number.isFinite(score) &&
    typeof id === "string" &&
    !id.includes("\0") &&
    rest.length === 0;
  if (!isWhole) {
    throw new MedleyError("query_invalid", `"after" is no cursor of an answer`, {
      mend: "send the cursor as the answer before has it",
    });
  }
  if (identity !== searchIdentity(opened, query)) {
    throw new MedleyError("query_invalid", "the cursor belongs to another search", {
      mend: "ask for the next page with all that the first was asked for (k may differ), or begin anew without a cursor",
    });
  }
  return { hit: { id, score: score as number, place }, atMs };
}

function partsOf(cursor: string): readonly unknown[] {
  const bytes = Buffer.from(cursor, "base64url");
  // Decoding passes over what is no base64.
  if (bytes.toString("base64url") !== cursor) return [];
  try {
    const parts: unknown = JSON.parse(bytes.toString());
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Of all that decides the scores, so that pages of one search have those of one: other weights or another model have others. */
function searchIdentity({ collection, layout }: CollectionEncoders, search: SearchQuery): string {
  const { k, after, ...query } = weighedByClass(collection, search);
  const encoders = layout.map(({ space, encoderIdentity }) => [space, encoderIdentity]);
  const { name, weights, texts } = collection;
  return identityOf({ collection: name, weights, texts, encoders, query }).slice(0, 24);
}
