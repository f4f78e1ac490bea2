import { badItem, decodeUtf8, notUtf8, type SourceItem } from "./item.ts";
import { isBlank, readLines } from "./lines.ts";

/** One JSON object per line; blank lines are left aside. */
export async function* readJsonl(
  chunks: AsyncIterable<Buffer>,
  options: { name: string; lineBytesMax: number },
): AsyncGenerator<SourceItem, void, void> {
  for await (const line of readLines(chunks, options)) {
    if (isBlank(line)) continue;
    const source = `${options.name}:${line.number}`;
    const text = line.tooLong ? null : decodeUtf8(line.bytes);
    if (line.tooLong)
      yield badItem(source, `is longer than ${options.lineBytesMax} bytes; split it`, line.bytes);
    else if (text === null) yield badItem(source, notUtf8, line.bytes);
    else yield parseObject(source, text, line.bytes);
  }
}

/** Lines that are not blank: as many as `readJsonl` gives items. */
export async function countJsonl(
  chunks: AsyncIterable<Buffer>,
  options: { lineBytesMax: number },
): Promise<number> {
  let count = 0;
  for await (const line of readLines(chunks, options)) if (!isBlank(line)) count += 1;
  return count;
}

function parseObject(source: string, text: string, payload: Uint8Array): SourceItem {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return badItem(source, `${jsonProblem(error)}; each line must be one whole JSON object`, payload);
  }
  return itemOf(source, value, payload);
}

export function itemOf(source: string, value: unknown, payload: Uint8Array): SourceItem {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return { ok: true, value: value as Record<string, unknown>, source, payload };
  }
  const kind = Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
  return badItem(source, `is ${kind}; a record must be a JSON object`, payload);
}

/** What is wrong with a JSON text and, where the engine says so, at which place; without what it holds there. */
export function jsonProblem(error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  const place = /\(line (\d+) column (\d+)\)/.exec(message);
  if (place !== null) return `is not JSON (line ${place[1]}, column ${place[2]} of it)`;
  return message.includes("end of JSON") || message.startsWith("Unterminated")
    ? "is JSON cut short"
    : "is not JSON";
}
