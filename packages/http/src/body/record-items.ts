import { MedleyError } from "@medley/core";
import { type Body, isNestedWithin, jsonOf, jsonProblem, levelsMax } from "./body.ts";

/** A record of a body, or a place in it where none can be read. */
export type RecordItem = {
  /** Among the records of the body, from 0. */
  readonly index: number;
  /** From 1, in NDJSON. */
  readonly line: number | null;
} & ({ readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string });

export const requestRecordsMax = 10_000;

/**
 * The records of a body in order: one object or a list of them, or one a line. A line that is not JSON costs only
 * itself. Throws `body_malformed`, and `body_too_large` above `requestRecordsMax`.
 */
export function recordItems(body: Body | undefined): readonly RecordItem[] {
  return body?.format === "ndjson" ? itemsOfLines(body.text) : itemsOfJson(jsonOf(body));
}

function itemsOfJson(json: unknown): readonly RecordItem[] {
  const values: readonly unknown[] = Array.isArray(json) ? json : [json];
  checkCount(values.length);
  return values.map((value, index) => itemOf(value, { index, line: null }));
}

function itemsOfLines(text: string): readonly RecordItem[] {
  const items: RecordItem[] = [];
  let line = 0;
  for (let start = 0; start < text.length; ) {
    const feed = text.indexOf("\n", start);
    const end = feed === -1 ? text.length : feed;
    const lineText = text.slice(start, end);
    start = end + 1;
    line += 1;
    if (/^[ \t\r]*$/.test(lineText)) continue;
    items.push(itemOfLine(lineText, { index: items.length, line }));
    checkCount(items.length);
  }
  return items;
}

function itemOfLine(text: string, place: { index: number; line: number }): RecordItem {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const column = jsonProblem(text).replace("line 1, ", "");
    return { ok: false, ...place, message: `line ${place.line} ${column}` };
  }
  return itemOf(value, place);
}

function itemOf(value: unknown, place: { index: number; line: number | null }): RecordItem {
  return isNestedWithin(value, levelsMax)
    ? { ok: true, ...place, value }
    : { ok: false, ...place, message: `the record is nested more than ${levelsMax} levels deep` };
}

function checkCount(records: number): void {
  if (records > requestRecordsMax) {
    throw new MedleyError("body_too_large", `the body has more than ${requestRecordsMax} records`, {
      mend: "send them in several requests",
    });
  }
}
