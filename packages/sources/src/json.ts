import { MedleyError } from "@medley/core";
import { decodeUtf8, type SourceItem } from "./item.ts";
import { itemOf, jsonProblem } from "./jsonl.ts";
import { readWhole } from "./whole.ts";

/** A JSON array of objects, read whole. Throws `MedleyError` `source_unreadable` where it is no array or too large. */
export async function* readJson(
  chunks: AsyncIterable<Buffer>,
  options: { name: string; wholeBytesMax: number },
): AsyncGenerator<SourceItem, void, void> {
  const { name, wholeBytesMax } = options;
  const bytes = await readWhole(chunks, {
    name,
    wholeBytesMax,
    mend: "write it as NDJSON (.jsonl), one object per line",
  });
  const records = parseArray(name, bytes);
  for (const [index, record] of records.entries()) {
    yield itemOf(`${name}[${index}]`, record, Buffer.from(JSON.stringify(record)));
  }
}

function parseArray(name: string, bytes: Buffer): readonly unknown[] {
  const unreadable = (why: string, mend: string) =>
    new MedleyError("source_unreadable", `${name} ${why}`, { mend });
  const text = decodeUtf8(bytes);
  if (text === null) throw unreadable("is not valid UTF-8", "save the file in UTF-8");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw unreadable(
      jsonProblem(error),
      "mend the file, or write it as NDJSON (.jsonl), where one bad line is only that",
    );
  }
  if (!Array.isArray(parsed))
    throw unreadable("is JSON, but no list", "put the records into one list: [{...}, {...}]");
  return parsed;
}
