import { type Collection, opKey, parseRecord, versionAt } from "@medley/core";
import { openSource, type Source } from "@medley/sources";
import { readRecords } from "@medley/store";
import type { TrainingRecord } from "@medley/training";
import type pg from "pg";

/** Where a training reads its records; each call of `read` begins anew. */
export interface TrainingRecords {
  /** `films.jsonl`, `collection films`. */
  readonly name: string;
  read(): AsyncIterable<TrainingRecord>;
  /** Of the last pass: records that could not be read, and why the first could not. */
  readonly skipped: { readonly count: number; readonly first: string | null };
}

/** Records of a file. Keys that are no field are ignored, and so is a version: what is trained on is not stored. */
export async function recordsOfFile(path: string, collection: Collection): Promise<TrainingRecords> {
  return new FileRecords(await openSource(path), { ...collection, versionKey: null, unknownKeys: "ignore" });
}

class FileRecords implements TrainingRecords {
  readonly #source: Source;
  readonly #collection: Collection;
  skipped: TrainingRecords["skipped"] = { count: 0, first: null };

  constructor(source: Source, collection: Collection) {
    this.#source = source;
    this.#collection = collection;
  }

  get name(): string {
    return this.#source.name;
  }

  async *read(): AsyncGenerator<TrainingRecord, void, void> {
    this.skipped = { count: 0, first: null };
    const { textual } = this.#source;
    for await (const item of this.#source.records()) {
      if (!item.ok) {
        this.#skip(item.reason);
        continue;
      }
      if (item.value[opKey] === "delete") continue;
      const options = { source: item.source, textual, arrivalVersion: versionAt(0) };
      const parsed = parseRecord(this.#collection, item.value, options);
      if (parsed.ok) yield { id: parsed.value.id, fields: parsed.value.fields };
      else this.#skip(`${item.source}: ${parsed.failure.message}`);
    }
  }

  #skip(reason: string): void {
    this.skipped = { count: this.skipped.count + 1, first: this.skipped.first ?? reason };
  }
}

/** Records of a collection in the database: `collection`'s own, or those of the one named `from`. */
export function recordsOfCollection(pool: pg.Pool, collection: Collection, from: string): TrainingRecords {
  return {
    name: `collection ${from}`,
    read: () => readRecords(pool, collection, { from }),
    skipped: { count: 0, first: null },
  };
}
