import { readFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { identityOf, isObject } from "@medley/core";
import { type ModelLock, writeFileAtomic } from "@medley/models";
import type { Cost, VectorTable } from "@medley/training";
import manifest from "../../package.json" with { type: "json" };
import type { LabelledSample } from "./labelled-sample.ts";
import type { TaskQuery } from "./task-queries.ts";

/** What came of a candidate that was trained and encoded. */
export interface Encoded {
  readonly table: VectorTable;
  readonly cost: Cost;
}

/** What is kept of it. The vectors stay in their file, and are read each time that they are asked for. */
export interface Measured {
  readonly readTable: () => VectorTable;
  readonly cost: Cost;
}

const format = "medley-assignment";

/**
 * `runs/assign-<id>/`: what an assignment has done, so that one that was ended goes on where it stopped. The id follows from the
 * collection, the records, which of them are trained on, the seed, and the version of Medley, whose encoders may not be another one's; of each candidate that is done there is `<key>.json` and `<key>.f32`, the vectors of all records
 * (float32, little-endian, row by row). Every file is replaced whole; the table is written before what names it.
 */
export class AssignmentFolder {
  readonly path: string;
  readonly #rowCount: number;

  constructor(root: string, { id, rowCount }: { readonly id: string; readonly rowCount: number }) {
    this.path = join(root, `assign-${id}`);
    this.#rowCount = rowCount;
  }

  /** Of an assignment of a collection, beside the lock. */
  static of(
    collection: string,
    {
      lock,
      sample: { fingerprint, split },
      seed,
      queries = [],
      rowCount,
    }: {
      readonly lock: ModelLock;
      readonly sample: Pick<LabelledSample, "fingerprint" | "split">;
      readonly seed: number;
      readonly queries?: readonly TaskQuery[];
      readonly rowCount: number;
    },
  ): AssignmentFolder {
    const known = {
      ...{ medley: manifest.version, data: fingerprint.sha256, train: [...split.train], seed },
      queries: queries.map(({ text, parts }) => ({ text, parts })),
    };
    const id = `${collection}-${identityOf(known).slice(0, 8)}`;
    return new AssignmentFolder(join(dirname(lock.file as string), "runs"), { id, rowCount });
  }

  /** Null where it was not done, or what is there can't be read. */
  async measured(key: string): Promise<Measured | null> {
    try {
      const entry: unknown = JSON.parse(await readFile(this.#file(key, "json"), "utf8"));
      if (!isObject(entry) || entry.format !== format) return null;
      const { dimensions, cost } = entry as { dimensions: number; cost: Cost };
      const vectors = this.#file(key, "f32");
      if ((await stat(vectors)).size !== 4 * dimensions * this.#rowCount) return null;
      return { readTable: () => ({ values: float32Of(readFileSync(vectors)), dimensions }), cost };
    } catch {
      return null;
    }
  }

  async keep(key: string, { table: { values, dimensions }, cost }: Encoded): Promise<Measured> {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    await writeFileAtomic(this.#file(key, "f32"), bytes);
    await writeFileAtomic(
      this.#file(key, "json"),
      `${JSON.stringify({ format, dimensions, cost }, null, 2)}\n`,
    );
    return (await this.measured(key)) as Measured;
  }

  async write(name: string, text: string): Promise<string> {
    const path = join(this.path, name);
    await writeFileAtomic(path, text);
    return path;
  }

  #file(key: string, extension: string): string {
    return join(this.path, "candidates", `${key}.${extension}`);
  }
}

/** Of a file as it was read; a copy only where it does not begin at a number's place. */
function float32Of({ buffer, byteOffset, length }: Buffer): Float32Array {
  if (byteOffset % 4 === 0) return new Float32Array(buffer as ArrayBuffer, byteOffset, length / 4);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer);
}
