export const sourceFormats = ["csv", "tsv", "jsonl", "json", "parquet"] as const;
export type SourceFormat = (typeof sourceFormats)[number];

const formatByExtension: Readonly<Record<string, SourceFormat>> = {
  csv: "csv",
  tsv: "tsv",
  tab: "tsv",
  jsonl: "jsonl",
  ndjson: "jsonl",
  parquet: "parquet",
};

/**
 * By the name's extension, with `.gz` left aside, else by the first bytes: `PAR1` is Parquet, `[` JSON, `{` JSON lines and
 * anything else CSV. Files named `.json` often hold JSON lines, so there, too, the bytes decide.
 */
export function formatOf(name: string, head: Buffer): SourceFormat {
  const extension = name.toLowerCase().replace(/\.gz$/, "").split(".").at(-1) ?? "";
  return formatByExtension[extension] ?? formatOfBytes(head);
}

function formatOfBytes(head: Buffer): SourceFormat {
  if (head.subarray(0, 4).toString("latin1") === "PAR1") return "parquet";
  const [first] = head
    .toString("latin1")
    .replace(/^\xef\xbb\xbf/, "")
    .trimStart();
  if (first === "[") return "json";
  return first === "{" ? "jsonl" : "csv";
}
