/** A record as its file gives it, or a place in the file where none can be read. */
export type SourceItem =
  | {
      readonly ok: true;
      readonly value: Readonly<Record<string, unknown>>;
      /** `films.csv:17` (line, from 1) or `films.parquet[16]` (position, from 0). */
      readonly source: string;
      /** The record as it came, for dead letters; of a Parquet row, its JSON. */
      readonly payload: Uint8Array;
      /** Of a source that is read by key: its place in the order of keys. */
      readonly position?: string;
    }
  | {
      readonly ok: false;
      readonly code: "body_malformed";
      /** Names the file, the place and the mend; holds nothing of the record. */
      readonly reason: string;
      readonly source: string;
      /** Of a line over the limit, its beginning. */
      readonly payload: Uint8Array;
      readonly position?: string;
    };

export function badItem(source: string, reason: string, payload: Uint8Array): SourceItem {
  return { ok: false, code: "body_malformed", reason: `${source} ${reason}`, source, payload };
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Null where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

export const notUtf8 = "is not valid UTF-8; save the file in UTF-8";
