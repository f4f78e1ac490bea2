import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MedleyError } from "@medley/core";

export interface RowCacheOptions {
  /** Default: one of its own, which is gone when the cache is closed. */
  readonly directory?: string | undefined;
  /** All that decides a row beside its key: the model's identity, the tensor. Names the file. */
  readonly of: readonly string[];
  readonly element: "float32" | "float16";
  /** Of the file. */
  readonly bytesMax: number;
}

interface Place {
  readonly at: number;
  readonly values: number;
}

const keyBytes = 32;
const headBytes = keyBytes + 4;

/**
 * What a frozen model computed, on disk: rows of any length by the hash of their input, in one file per model and tensor. The
 * file only grows: key, length and values per row; what a killed process left half written is cut off when it is opened. It
 * holds `bytesMax` at most: where new rows don't fit, all old ones go. One process at a time. `close` closes the file.
 */
export class RowCache implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #places: Map<string, Place>;
  readonly #bytesPerValue: number;
  readonly #bytesMax: number;
  readonly #temporary: string | null;
  #end: number;

  private constructor(
    file: FileHandle,
    { element, bytesMax }: RowCacheOptions,
    temporary: string | null,
    found: { places: Map<string, Place>; end: number },
  ) {
    this.#file = file;
    this.#bytesPerValue = bytesOf(element);
    this.#bytesMax = bytesMax;
    this.#temporary = temporary;
    this.#places = found.places;
    this.#end = found.end;
  }

  static async open(options: RowCacheOptions): Promise<RowCache> {
    const { directory, of, element } = options;
    if (directory !== undefined) await mkdir(directory, { recursive: true });
    const temporary = directory === undefined ? await mkdtemp(join(tmpdir(), "medley-rows-")) : null;
    const name = createHash("sha256")
      .update(JSON.stringify([...of, element]))
      .digest("hex")
      .slice(0, 32);
    const path = join(directory ?? (temporary as string), `${name}.rows`);
    const file = await open(path, "a+").then((created) => created.close().then(() => open(path, "r+")));
    return new RowCache(file, options, temporary, await scan(file, bytesOf(element)));
  }

  has(key: string): boolean {
    return this.#places.has(key);
  }

  /** How many values the row has. */
  valuesOf(key: string): number {
    return this.#place(key).values;
  }

  /**
   * Makes room for rows that are wanted together; `values`: how many each has. Those of them that are there stay, unless old
   * ones have to go. Throws `training_unsupported` where they exceed the bound alone.
   */
  async reserve(rows: readonly { readonly key: string; readonly values: number }[]): Promise<void> {
    const bytesOfRow = ({ values }: { values: number }) => headBytes + values * this.#bytesPerValue;
    const wanted = rows.reduce((sum, row) => sum + bytesOfRow(row), 0);
    if (wanted > this.#bytesMax) {
      const mib = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
      throw new MedleyError(
        "training_unsupported",
        `the frozen part's values of ${rows.length} inputs take ${mib(wanted)}, more than ${mib(this.#bytesMax)}`,
        { mend: "train on fewer inputs, cut them shorter, or allow the cache more (cacheBytesMax)" },
      );
    }
    const added = rows.filter(({ key }) => !this.has(key)).reduce((sum, row) => sum + bytesOfRow(row), 0);
    if (this.#end + added <= this.#bytesMax) return;
    await this.#file.truncate(0);
    this.#places.clear();
    this.#end = 0;
  }

  async put(key: string, row: Float32Array): Promise<void> {
    if (this.has(key)) return;
    const bytes = Buffer.alloc(headBytes + row.length * this.#bytesPerValue);
    assert(this.#end + bytes.length <= this.#bytesMax, "there is room for what was reserved");
    bytes.write(key, "hex");
    bytes.writeUInt32LE(row.length, keyBytes);
    const values = this.#bytesPerValue === 2 ? Float16Array.from(row) : row;
    if (this.#bytesPerValue === 2) assertFinite(values as Float16Array);
    Buffer.from(values.buffer, values.byteOffset, values.byteLength).copy(bytes, headBytes);
    await this.#file.write(bytes, 0, bytes.length, this.#end);
    this.#places.set(key, { at: this.#end + headBytes, values: row.length });
    this.#end += bytes.length;
  }

  /** Reads the row into the start of `out`. */
  async read(key: string, out: Float32Array): Promise<void> {
    const { at, values } = this.#place(key);
    const bytes = new ArrayBuffer(values * this.#bytesPerValue);
    const { bytesRead } = await this.#file.read(new Uint8Array(bytes), 0, bytes.byteLength, at);
    assert.equal(bytesRead, bytes.byteLength, "the file holds what was written");
    out.set(this.#bytesPerValue === 2 ? new Float16Array(bytes) : new Float32Array(bytes));
  }

  async close(): Promise<void> {
    await this.#file.close();
    if (this.#temporary !== null) await rm(this.#temporary, { recursive: true, force: true });
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #place(key: string): Place {
    const place = this.#places.get(key);
    assert(place, "the row is in the cache");
    return place;
  }
}

/** Hex sha256 of an input. */
export function rowKey(input: string | Uint8Array | Int32Array): string {
  return createHash("sha256").update(input).digest("hex");
}

function bytesOf(element: "float32" | "float16"): number {
  return element === "float32" ? 4 : 2;
}

function assertFinite(values: Float16Array): void {
  for (const value of values) {
    if (Number.isFinite(value)) continue;
    throw new MedleyError("training_unsupported", "a value of the frozen part is beyond what 16 bits hold", {
      mend: "train fewer blocks, or a model whose hidden states are normalised",
    });
  }
}

async function scan(
  file: FileHandle,
  bytesPerValue: number,
): Promise<{ places: Map<string, Place>; end: number }> {
  const { size } = await file.stat();
  const places = new Map<string, Place>();
  const head = Buffer.alloc(headBytes);
  let end = 0;
  while (end + headBytes <= size) {
    await file.read(head, 0, headBytes, end);
    const values = head.readUInt32LE(keyBytes);
    const next = end + headBytes + values * bytesPerValue;
    if (next > size) break;
    places.set(head.toString("hex", 0, keyBytes), { at: end + headBytes, values });
    end = next;
  }
  return { places, end };
}
