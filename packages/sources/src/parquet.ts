import { MedleyError } from "@medley/core";
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetRead } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { badItem, decodeUtf8, type SourceItem } from "./item.ts";

/** Uncompressed; a row group is decoded whole. */
const rowGroupBytesMax = 2 ** 29;

/** Stands for a string that is not UTF-8, until its row is looked at. */
const notText = Symbol("not UTF-8");

const parsers = {
  stringFromBytes: (bytes: Uint8Array | undefined) =>
    bytes === undefined ? undefined : (decodeUtf8(bytes) ?? notText),
};

export async function countParquet(file: AsyncBuffer): Promise<number> {
  return Number((await parquetMetadataAsync(file)).num_rows);
}

/**
 * Rows in order, one row group in memory at a time. Dates become milliseconds since 1970, integers above 2^53 decimal
 * strings; lists, maps and structures plain lists and objects.
 */
export async function* readParquet(
  open: () => Promise<AsyncBuffer>,
  options: { name: string },
): AsyncGenerator<SourceItem, void, void> {
  const { name } = options;
  const file = await open();
  const metadata = await parquetMetadataAsync(file);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    if (group.total_byte_size > rowGroupBytesMax) {
      throw new MedleyError(
        "source_unreadable",
        `${name} has a row group of ${group.total_byte_size} bytes`,
        {
          mend: `write it with row groups of at most ${rowGroupBytesMax} bytes`,
        },
      );
    }
    const rows = await readRowGroup(file, metadata, { rowStart, rowEnd });
    for (const [index, row] of rows.entries()) yield itemOf(`${name}[${rowStart + index}]`, row);
    rowStart = rowEnd;
  }
}

async function readRowGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  range: { rowStart: number; rowEnd: number },
): Promise<readonly Record<string, unknown>[]> {
  let rows: readonly Record<string, unknown>[] = [];
  await parquetRead({
    file,
    metadata,
    compressors,
    parsers,
    ...range,
    rowFormat: "object",
    onComplete: (complete) => {
      rows = complete;
    },
  });
  return rows;
}

function itemOf(source: string, row: Record<string, unknown>): SourceItem {
  const value = plainOf(row) as Record<string, unknown>;
  const payload = Buffer.from(JSON.stringify(value));
  if (holdsNoText(row)) {
    return badItem(
      source,
      "holds a string that is not valid UTF-8; write strings in UTF-8, bytes as base64",
      payload,
    );
  }
  return { ok: true, value, source, payload };
}

function holdsNoText(value: unknown): boolean {
  if (value === notText) return true;
  if (typeof value !== "object" || value === null || value instanceof Date || ArrayBuffer.isView(value))
    return false;
  return Object.values(value).some(holdsNoText);
}

function plainOf(value: unknown): unknown {
  if (typeof value === "bigint")
    return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (value === undefined || value === notText) return null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.getTime();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, plainOf);
  if (Array.isArray(value)) return value.map(plainOf);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainOf(inner)]));
  }
  return value;
}
