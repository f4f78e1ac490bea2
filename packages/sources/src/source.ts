import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import { type AsyncBuffer, asyncBufferFromFile } from "hyparquet";
import { type Content, fileContent, fileFingerprint, stdinContent } from "./content.ts";
import { countCsv, readCsv } from "./csv.ts";
import { formatOf, type SourceFormat } from "./format.ts";
import type { SourceItem } from "./item.ts";
import { readJson } from "./json.ts";
import { countJsonl, readJsonl } from "./jsonl.ts";
import { countParquet, readParquet } from "./parquet.ts";
import { readWhole } from "./whole.ts";

export interface SourceOptions {
  /** Default: by the name's extension, else by the first bytes. */
  readonly format?: SourceFormat;
  /** A longer line (of CSV: row) is a bad item. Default 16 MiB. */
  readonly lineBytesMax?: number;
  /** Of what must be held in memory whole: JSON, and Parquet that is gzipped or comes by stdin. Default 256 MiB. */
  readonly wholeBytesMax?: number;
  /** What `-` reads. Default: the process's own. */
  readonly stdin?: AsyncIterable<Buffer>;
}

/** Which items of a source: of a file all after the first `skip`, of a table those whose key is in (`after`, `through`]. */
export interface SourceRange {
  readonly skip?: number;
  /** An item's `position`. */
  readonly after?: string;
  readonly through?: string;
}

/** What a backfill reads. */
export interface Source {
  /** `films.csv`, `stdin`, `public.films`. */
  readonly name: string;
  /** Values are strings that stand for any type. */
  readonly textual: boolean;
  /** How many items `records` gives: of a file by a pass of its own, of a table roughly; null for stdin, and where the file breaks off. */
  total(): Promise<number | null>;
  /** Changes with the file, or with the definition of the table; of stdin always the same. */
  fingerprint(): Promise<string>;
  /**
   * Of a source whose rows change while it is read: the version of all records that are read from now on, below that of any later
   * change. Items of such a source have a `position`, and only that says where to go on: rows before it may come and go.
   */
  snapshotVersion?(): Promise<bigint>;
  /**
   * Items in the source's order. Stdin can be read once. Throws `MedleyError` `source_unreadable` where the file breaks off,
   * after all items before the break, `source_unavailable` where the database does not answer.
   */
  records(range?: SourceRange): AsyncIterable<SourceItem>;
}

export interface FileSource extends Source {
  readonly format: SourceFormat;
}

/**
 * Opens a file or stdin (`-`), gzipped or not. Holds no more in memory than a line, a Parquet row group, or a JSON file at
 * its largest. Throws `MedleyError` `source_unreadable`.
 */
export async function openSource(path: string, options: SourceOptions = {}): Promise<FileSource> {
  const { lineBytesMax = 2 ** 24, wholeBytesMax = 2 ** 28, stdin = process.stdin } = options;
  const content = path === "-" ? await stdinContent(stdin) : await fileContent(path);
  const format = options.format ?? formatOf(content.name, content.head);
  return new ContentSource(content, format, { lineBytesMax, wholeBytesMax });
}

class ContentSource implements FileSource {
  readonly name: string;
  readonly format: SourceFormat;
  readonly textual: boolean;
  readonly #content: Content;
  readonly #limits: { readonly lineBytesMax: number; readonly wholeBytesMax: number };

  constructor(
    content: Content,
    format: SourceFormat,
    limits: { lineBytesMax: number; wholeBytesMax: number },
  ) {
    this.name = content.name;
    this.format = format;
    this.textual = format === "csv" || format === "tsv";
    this.#content = content;
    this.#limits = limits;
  }

  async total(): Promise<number | null> {
    if (this.#content.path === null) return null;
    try {
      return await this.#count();
    } catch {
      // Reading will say it, after the records that can be read.
      return null;
    }
  }

  async fingerprint(): Promise<string> {
    return this.#content.path === null ? "stdin" : fileFingerprint(this.#content.path);
  }

  async *records(range: SourceRange = {}): AsyncGenerator<SourceItem, void, void> {
    const { skip = 0 } = range;
    assert(Number.isSafeInteger(skip) && skip >= 0);
    let position = 0;
    try {
      for await (const item of this.#read()) {
        position += 1;
        if (position > skip) yield item;
      }
    } catch (error) {
      if (error instanceof MedleyError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new MedleyError(
        "source_unreadable",
        `${this.name} breaks off after ${position} records: ${reason}`,
        {
          mend: "get or write the file again; what was read of it stays",
          cause: error,
        },
      );
    }
  }

  #read(): AsyncIterable<SourceItem> {
    const options = { name: this.name, ...this.#limits };
    switch (this.format) {
      case "csv":
        return readCsv(this.#content.read(), { ...options, delimiter: "," });
      case "tsv":
        return readCsv(this.#content.read(), { ...options, delimiter: "\t" });
      case "jsonl":
        return readJsonl(this.#content.read(), options);
      case "json":
        return readJson(this.#content.read(), options);
      case "parquet":
        return readParquet(() => this.#parquetFile(), options);
      default:
        throw new Error(`unreachable: ${this.format satisfies never}`);
    }
  }

  async #count(): Promise<number> {
    const { lineBytesMax } = this.#limits;
    switch (this.format) {
      case "csv":
        return countCsv(this.#content.read(), { name: this.name, delimiter: ",", lineBytesMax });
      case "tsv":
        return countCsv(this.#content.read(), { name: this.name, delimiter: "\t", lineBytesMax });
      case "jsonl":
        return countJsonl(this.#content.read(), { lineBytesMax });
      case "parquet":
        return countParquet(await this.#parquetFile());
      case "json": {
        let count = 0;
        for await (const _ of this.#read()) count += 1;
        return count;
      }
      default:
        throw new Error(`unreachable: ${this.format satisfies never}`);
    }
  }

  async #parquetFile(): Promise<AsyncBuffer> {
    const { path, compressed } = this.#content;
    if (path !== null && !compressed) return asyncBufferFromFile(path);
    const mend = "give it as a file that is not gzipped: Parquet has its own compression";
    const bytes = await readWhole(this.#content.read(), { name: this.name, ...this.#limits, mend });
    return {
      byteLength: bytes.length,
      slice: (start, end) => Uint8Array.prototype.slice.call(bytes, start, end).buffer as ArrayBuffer,
    };
  }
}
