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
import type { PostgresStore, StoredGeneration } from "@medley/store";

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
 * is live -> open again, where another has become live -> forgotten, when it is dropped. What can't be opened stays unknown, says why to
 * the database, which whoever would make it live reads, and is tried again at the next look.
 */
export class Generations {
  readonly #options: GenerationsOptions;
  readonly #instance = randomUUID();
  /** By collection, then by number. */
  readonly #open = new Map<string, Map<number, CollectionEncoders>>();
  #known: readonly StoredGeneration[] = [];
  #looking: Promise<void> | null = null;

  constructor(options: GenerationsOptions) {
    this.#options = options;
    for (const [name, opened] of options.live) this.#open.set(name, new Map([[opened.generation, opened]]));
  }

  /** What may have to be carried, from either to the other: a late write into the one that was live before counts, too. */
  get carriages(): readonly Carriage[] {
    return this.#known.flatMap((from) => {
      const others = [...(this.#open.get(from.collection)?.values() ?? [])];
      return others.filter(({ generation }) => this.#isOther(from, generation)).map((to) => ({ from, to }));
    });
  }

  /** Reads what there is and opens what is new. Throws `schema_conflict` where the live generation can't be served at all. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
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
    const { store, live, encodes } = this.#options;
    const known = (await store.readGenerations()).filter(({ collection }) => live.has(collection));
    const failures = new Map<StoredGeneration, string>();
    for (const stored of known) {
      try {
        await this.#openOne(stored);
      } catch (error) {
        if (stored.state === "live" && stored.encoders === null) throw error;
        failures.set(stored, error instanceof Error ? error.message : String(error));
      }
    }
    this.#known = known;
    for (const { collection, generation, state } of known) {
      const opened = this.#open.get(collection)?.get(generation);
      if (state === "live" && opened !== undefined) live.set(collection, opened);
    }
    this.#forget();
    if (!encodes || known.length === 0) return;
    const reports = known.map((one) => ({ ...one, failure: failures.get(one) ?? null }));
    await store.reportReader(this.#instance, reports);
  }

  async #openOne(stored: StoredGeneration): Promise<void> {
    const { store, live, lock, openEncoders } = this.#options;
    const opened = this.#open.get(stored.collection);
    if (opened?.has(stored.generation)) return;
    if (stored.encoders === null) {
      throw new MedleyError(
        "schema_conflict",
        `collection "${stored.collection}": its configuration is that of a generation that is not live`,
        { mend: "start with the configuration of the live generation, or after the switch" },
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
    };
    const pins = { ...lock, models: { ...lock.models, ...models }, trained: { ...lock.trained, ...trained } };
    const encoders = await openEncoders(collection, pins);
    const made = collectionEncoders(collection, encoders, stored.generation);
    requireSegments(made, stored);
    store.openGeneration(collection, stored.generation);
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
