import { MedleyError } from "@medley/core";
import { badItem, decodeUtf8, notUtf8, type SourceItem } from "./item.ts";
import { isBlank, type Line, readLines } from "./lines.ts";

export interface CsvOptions {
  readonly name: string;
  readonly delimiter: "," | "\t";
  /** Of a row, which may have several lines. */
  readonly lineBytesMax: number;
}

/**
 * Rows of RFC 4180 under a header row; all values are strings. A row that can't be read is one bad item. Where a quote is
 * never closed, or closed in the middle of a field, only the line with the opening quote is bad and reading goes on at the
 * next one: the row's end is not known, and libraries that look for it lose the rest of the file.
 * Throws `MedleyError` `source_unreadable` for an unusable header.
 */
export async function* readCsv(
  chunks: AsyncIterable<Buffer>,
  options: CsvOptions,
): AsyncGenerator<SourceItem, void, void> {
  let header: readonly string[] | null = null;
  for await (const row of readRows(chunks, options)) {
    const source = `${options.name}:${row.line}`;
    if (header === null) header = headerOf(row, options.name);
    else if (!row.ok) yield badItem(source, row.reason, row.payload);
    else yield itemOf(source, header, row);
  }
}

/** Rows and unreadable lines, the header not counted: as many as `readCsv` gives items. */
export async function countCsv(chunks: AsyncIterable<Buffer>, options: CsvOptions): Promise<number> {
  let count = -1;
  for await (const _ of readRows(chunks, options)) count += 1;
  return Math.max(count, 0);
}

type Row =
  | { ok: true; line: number; fields: readonly string[]; payload: Buffer }
  | { ok: false; line: number; reason: string; payload: Buffer };

function headerOf(row: Row, name: string): readonly string[] {
  const unusable = (why: string, mend: string) =>
    new MedleyError("source_unreadable", `${name}: the header (line ${row.line}) ${why}`, { mend });
  if (!row.ok) throw unusable(row.reason, "the first row must name the columns");
  const twice = row.fields.find((field, index) => row.fields.indexOf(field) !== index);
  if (twice !== undefined) {
    throw unusable(`names two columns ${JSON.stringify(twice)}`, "give each column a name of its own");
  }
  return row.fields;
}

function itemOf(source: string, header: readonly string[], row: Row & { ok: true }): SourceItem {
  const { fields, payload } = row;
  if (fields.length !== header.length) {
    const counts = `has ${fields.length} columns where the header has ${header.length}`;
    return badItem(source, `${counts}; quote fields that hold a delimiter or a line break`, payload);
  }
  const value = Object.fromEntries(header.map((name, index) => [name, fields[index]]));
  return { ok: true, value, source, payload };
}

async function* readRows(
  chunks: AsyncIterable<Buffer>,
  options: CsvOptions,
): AsyncGenerator<Row, void, void> {
  const lines = new LinesAhead(readLines(chunks, options));
  for (let line = await lines.next(); line !== null; line = await lines.next()) {
    if (!isBlank(line) || line.bytes.includes(0x09)) yield await readRow(line, lines, options);
  }
}

async function readRow(first: Line, lines: LinesAhead, options: CsvOptions): Promise<Row> {
  const parser = new RowParser(options.delimiter);
  const bad = (reason: string): Row => ({ ok: false, line: first.number, reason, payload: first.bytes });
  const taken: Line[] = [];
  let byteCount = 0;
  for (let line: Line | null = first; line !== null; line = await lines.next()) {
    taken.push(line);
    byteCount += line.bytes.length + 1;
    const text = line.tooLong ? null : decodeUtf8(line.bytes);
    if (line === first && line.tooLong) return bad(`is longer than ${options.lineBytesMax} bytes; split it`);
    if (line === first && text === null) return bad(notUtf8);
    if (text === null || byteCount > options.lineBytesMax + 1) break;
    const state = parser.feed(text);
    if (state === "whole") {
      const payload = taken.length === 1 ? first.bytes : joinLines(taken);
      return { ok: true, line: first.number, fields: parser.fields, payload };
    }
    if (state === "broken") {
      lines.unread(taken.slice(1));
      return bad(
        `(column ${parser.quoteColumn}) has a quote in the middle of a field; double quotes inside quoted fields`,
      );
    }
  }
  lines.unread(taken.slice(1));
  return bad(
    `(column ${parser.quoteColumn}) opens a quote that is never closed; close it, or double it inside a quoted field`,
  );
}

function joinLines(lines: readonly Line[]): Buffer {
  return Buffer.concat(
    lines.flatMap(({ bytes }, index) => (index === 0 ? [bytes] : [Buffer.of(0x0a), bytes])),
  );
}

/** Lines that can be put back; they are no more than one row at its longest. */
class LinesAhead {
  readonly #lines: AsyncIterator<Line>;
  #putBack: Line[] = [];

  constructor(lines: AsyncIterator<Line>) {
    this.#lines = lines;
  }

  async next(): Promise<Line | null> {
    const line = this.#putBack.pop();
    if (line !== undefined) return line;
    const { value, done } = await this.#lines.next();
    return done ? null : value;
  }

  unread(lines: readonly Line[]): void {
    this.#putBack = [...this.#putBack, ...lines.toReversed()];
  }
}

/** Splits one row, given line by line. */
class RowParser {
  readonly fields: string[] = [];
  readonly #delimiter: string;
  /** What was read of a quoted field that is still open. */
  #open: string | null = null;
  /** In the row's first line, from 1: where the trouble began, if there is any. */
  quoteColumn = 0;
  #lines = 0;

  constructor(delimiter: string) {
    this.#delimiter = delimiter;
  }

  feed(line: string): "whole" | "open" | "broken" {
    this.#lines += 1;
    if (this.#open !== null) this.#open += "\n";
    let at: number | null = 0;
    while (at !== null) {
      if (this.#open === null && line[at] === '"') {
        if (this.#lines === 1) this.quoteColumn = at + 1;
        this.#open = "";
        at += 1;
      }
      const next: number | null | "open" | "broken" =
        this.#open === null ? this.#readPlain(line, at) : this.#readQuoted(line, at);
      if (typeof next === "string") return next;
      at = next;
    }
    return "whole";
  }

  /** Returns where the next field begins, null after the last. */
  #readPlain(line: string, at: number): number | null | "broken" {
    const delimiterAt = line.indexOf(this.#delimiter, at);
    const end =
      delimiterAt === -1 ? line.length - (line.endsWith("\r") && line.length > at ? 1 : 0) : delimiterAt;
    const field = line.slice(at, end);
    // Tab-separated files mostly know no quoting: there, a quote inside a field is only a character.
    const quoteAt = this.#delimiter === "\t" ? -1 : field.indexOf('"');
    if (quoteAt !== -1) {
      if (this.#lines === 1) this.quoteColumn = at + quoteAt + 1;
      return "broken";
    }
    this.fields.push(field);
    return delimiterAt === -1 ? null : delimiterAt + 1;
  }

  #readQuoted(line: string, from: number): number | null | "open" | "broken" {
    for (let at = from; ; ) {
      const quoteAt = line.indexOf('"', at);
      if (quoteAt === -1) {
        this.#open += line.slice(at);
        return "open";
      }
      this.#open += line.slice(at, quoteAt);
      at = quoteAt + 1;
      if (line[at] === '"') {
        this.#open += '"';
        at += 1;
        continue;
      }
      this.fields.push(this.#open as string);
      this.#open = null;
      if (at === line.length || (at === line.length - 1 && line[at] === "\r")) return null;
      return line[at] === this.#delimiter ? at + 1 : "broken";
    }
  }
}
