import { randomUUID } from "node:crypto";
import {
  type Collection,
  type Encoder,
  type Generation,
  MedleyError,
  type SpaceDefinition,
  spaceOf,
} from "@medley/core";
import type { ModelLock } from "@medley/models";
import { type CollectionEncoders, collectionEncoders } from "@medley/pipeline";
import {
  forgetReaders,
  type PostgresStore,
  type ReaderReport,
  readerReportMs,
  reportReader,
  type StoredGeneration,
} from "@medley/store";
import type pg from "pg";

/** What the database keeps of a generation's encoders, so that a process which was started before it can open them. */
export interface GenerationEncoders {
  /** In the order of the segments. */
  readonly spaces: readonly { readonly name: string; readonly definition: SpaceDefinition }[];
  readonly models: ModelLock["models"];
  readonly trained: ModelLock["trained"];
}

export function generationEncoders({ name, spaces }: Collection, lock: ModelLock): GenerationEncoders {
  const places = new Set(spaces.map((space) => `${name}.${space.name}`));
  return {
    spaces: spaces.map((space) => ({ name: space.name, definition: space.definition })),
    models: lock.models,
    trained: Object.fromEntries(Object.entries(lock.trained).filter(([place]) => places.has(place))),
  };
}

export interface GenerationsOptions {
  readonly store: PostgresStore;
  readonly pool: pg.Pool;
  /** By collection, what serves: changed in place. */
  readonly live: Map<string, CollectionEncoders>;
  readonly openEncoders: (collection: Collection, lock: ModelLock) => Promise<readonly Encoder[]>;
  readonly lock: ModelLock;
  /** Whether the process searches or embeds, so that others wait until it can do so with a new generation. */
  readonly encodes: boolean;
}

/** Rows of one generation that another is to have. */
export interface Carriage {
  readonly from: Generation;
  readonly to: CollectionEncoders;
}

/**
 * The generations of the collections' rows, as this process can work with them.
 *
 * States of a generation here: unknown -> open, its encoders are loaded beside those that serve -> serving, once the database says that it
 * is live -> open again, where another has become live -> forgotten, when it is dropped. What can't be opened stays unknown, and is tried
 * again at the next look. A process that encodes says in the database that it is there, and what became of each generation: whoever would
 * make one live waits for it.
 */
export class Generations {
  readonly #options: GenerationsOptions;
  readonly #instance = randomUUID();
  /** By collection, then by number. */
  readonly #open = new Map<string, Map<number, CollectionEncoders>>();
  #known: readonly StoredGeneration[] = [];
  #carries = false;
  /** The look in hand, or the last one; and the one that comes after it. */
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;
  #reported = { text: "", atMs: 0 };

  constructor(options: GenerationsOptions) {
    this.#options = options;
    for (const [name, opened] of options.live) this.#open.set(name, new Map([[opened.generation, opened]]));
  }

  /** Of every generation that is open. */
  get opened(): readonly CollectionEncoders[] {
    return [...this.#open.values()].flatMap((generations) => [...generations.values()]);
  }

  /** What may have to be carried, from either to the other: a late write into the one that was live before counts, too. */
  get carriages(): readonly Carriage[] {
    return this.#known.flatMap((from) => {
      const others = [...(this.#open.get(from.collection)?.values() ?? [])];
      return others.filter(({ generation }) => this.#isOther(from, generation)).map((to) => ({ from, to }));
    });
  }

  /**
   * Reads what there is and opens what is new. Throws `schema_conflict` where a live generation can't be served at all. A look that is in
   * hand may have read before what the caller is to see, so another one follows it, for all who ask meanwhile.
   */
  look(): Promise<void> {
    if (this.#next === null) {
      this.#next = this.#last.then(() => {
        this.#next = null;
        return this.#look();
      });
      this.#last = this.#next.catch(() => {});
    }
    return this.#next;
  }

  /** Says that this process carries rows, from now on. */
  carry(): Promise<void> {
    this.#carries = true;
    return this.look();
  }

  /** Says that this process ends. */
  async leave(): Promise<void> {
    await this.#last;
    // Where that can't be said, others find out in a while.
    await forgetReaders(this.#options.pool, this.#instance).catch(() => {});
  }

  #isOther(from: StoredGeneration, generation: number): boolean {
    return this.#known.some(
      (one) =>
        one.collection === from.collection &&
        one.generation === generation &&
        one.generation !== from.generation,
    );
  }

  async #look(): Promise<void> {
    const { store, live } = this.#options;
    const known = (await store.readGenerations()).filter(({ collection }) => live.has(collection));
    const unopened = known.filter((one) => this.#opened(one) === undefined);
    // Opening may take a while, in which this process is there.
    if (unopened.length > 0) await this.#report(this.#reportsOf(known, new Map()));
    const failures = new Map<StoredGeneration, string>();
    let unserved: unknown = null;
    for (const stored of unopened) {
      try {
        await this.#openOne(stored);
      } catch (error) {
        if (stored.state === "live" && stored.encoders === null) unserved ??= error;
        failures.set(stored, error instanceof Error ? error.message : String(error));
      }
    }
    this.#known = known;
    for (const stored of known) {
      const opened = this.#opened(stored);
      if (stored.state === "live" && opened !== undefined) live.set(stored.collection, opened);
    }
    this.#forget();
    const reports = this.#reportsOf(known, failures);
    const isNews = JSON.stringify(reports) !== this.#reported.text;
    if (isNews || performance.now() - this.#reported.atMs >= readerReportMs) await this.#report(reports);
    if (unserved !== null) throw unserved;
  }

  #opened({ collection, generation }: StoredGeneration): CollectionEncoders | undefined {
    return this.#open.get(collection)?.get(generation);
  }

  /** Of those that are open or can't be opened. */
  #reportsOf(
    known: readonly StoredGeneration[],
    failures: ReadonlyMap<StoredGeneration, string>,
  ): readonly ReaderReport[] {
    return known
      .filter((one) => failures.has(one) || this.#opened(one) !== undefined)
      .map((one) => ({
        ...{ collection: one.collection, generation: one.generation },
        ...{ failure: failures.get(one) ?? null, carries: this.#carries },
      }));
  }

  async #report(reports: readonly ReaderReport[]): Promise<void> {
    const { pool, encodes } = this.#options;
    if (!encodes) return;
    await reportReader(pool, this.#instance, reports);
    this.#reported = { text: JSON.stringify(reports), atMs: performance.now() };
  }

  async #openOne(stored: StoredGeneration): Promise<void> {
    const { store, live, lock, openEncoders } = this.#options;
    const opened = this.#open.get(stored.collection);
    if (stored.encoders === null) {
      throw new MedleyError(
        "schema_conflict",
        `collection "${stored.collection}": its configuration is not that of the live generation, which is ${stored.generation}`,
        {
          mend: "start with the configuration of the live generation, or, where it is that of the next one, after the switch",
        },
      );
    }
    const { spaces, models, trained } = stored.encoders as GenerationEncoders;
    const serving = live.get(stored.collection) as CollectionEncoders;
    const collection: Collection = {
      ...serving.collection,
      fields: Object.entries(stored.fields).map(
        ([name, type]) => ({ name, type }) as Collection["fields"][number],
      ),
      spaces: spaces.map(({ name, definition }) => spaceOf(name, definition, [])),
      weights: stored.weights,
      profiles: stored.profiles,
      texts: stored.texts,
      classes: stored.classes,
    };
    const pins = { ...lock, models: { ...lock.models, ...models }, trained: { ...lock.trained, ...trained } };
    const encoders = await openEncoders(collection, pins);
    const made = collectionEncoders(collection, encoders, stored.generation);
    requireSegments(made, stored);
    store.openGeneration(made, stored.generation);
    opened?.set(stored.generation, made);
  }

  /** Those that have been dropped. */
  #forget(): void {
    const { store, live } = this.#options;
    for (const [name, generations] of this.#open) {
      const known = this.#known.filter(({ collection }) => collection === name);
      for (const generation of generations.keys()) {
        if (live.get(name)?.generation === generation) continue;
        if (known.some((one) => one.generation === generation)) continue;
        generations.delete(generation);
        store.closeGeneration(name, generation);
      }
    }
  }
}

/** A folder may hold another model here than where the generation was begun. */
function requireSegments(
  { layout }: CollectionEncoders,
  { segments, collection, generation }: Generation,
): void {
  const other = layout.find((one, index) => one.encoderIdentity !== segments[index]?.encoderIdentity);
  if (other === undefined) return;
  throw new MedleyError(
    "model_damaged",
    `space "${other.space}" of "${collection}", generation ${generation}: its encoder is another one here than the one that the rows are of`,
    { mend: "see that medley.lock.json and the models' folders are the same on all machines" },
  );
}
