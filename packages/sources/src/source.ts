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

export interface Source {
  /** `films.csv`, `stdin`. */
  readonly name: string;
  readonly format: SourceFormat;
  /** Values are strings that stand for any type. */
  readonly textual: boolean;
  /** How many items `records` gives, by a pass of its own; null for stdin, and where the file breaks off. */
  total(): Promise<number | null>;
  /** Changes with the file; of stdin always the same. */
  fingerprint(): Promise<string>;
  /**
   * Items in the file's order, without the first `skip`. Stdin can be read once. Throws `MedleyError` `source_unreadable`
   * where the file breaks off, after all items before the break.
   */
  records(options?: { skip?: number }): AsyncIterable<SourceItem>;
}

/**
 * Opens a file or stdin (`-`), gzipped or not. Holds no more in memory than a line, a Parquet row group, or a JSON file at
 * its largest. Throws `MedleyError` `source_unreadable`.
 */
export async function openSource(path: string, options: SourceOptions = {}): Promise<Source> {
  const { lineBytesMax = 2 ** 24, wholeBytesMax = 2 ** 28, stdin = process.stdin } = options;
  const content = path === "-" ? await stdinContent(stdin) : await fileContent(path);
  const format = options.format ?? formatOf(content.name, content.head);
  return new ContentSource(content, format, { lineBytesMax, wholeBytesMax });
}

class ContentSource implements Source {
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

  async *records(options: { skip?: number } = {}): AsyncGenerator<SourceItem, void, void> {
    const { skip = 0 } = options;
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
