import type { Lane } from "@medley/core";
import type { SeededRandom } from "./seeded-random.ts";

/**
 * Who refuses a poisoned record: the `door` (an invalid field), the closed-form encoder of a category (`vocabulary`), the
 * remote `encoder`, or Postgres (`store`).
 */
export const poisons = ["door", "vocabulary", "encoder", "store"] as const;
export type Poison = (typeof poisons)[number];

export interface Operation {
  /** Position in the workload, from 0. */
  readonly n: number;
  readonly id: string;
  readonly version: number;
  readonly action: "upsert" | "delete";
  readonly poison: Poison | null;
  readonly lane: Lane;
}

export interface WorkloadSize {
  readonly operations: number;
  readonly keys: number;
}

/** Room between two versions of a key, for ones that are sent late. */
const versionStep = 10;
const backfillShare = 0.4;

interface Key {
  readonly id: string;
  version: number;
  deleted: boolean;
  /** What was sent of it and is no poison. */
  readonly sent: Pick<Operation, "version" | "action">[];
}

/** 70 % upserts, 10 % stale (sent again, or late), 10 % deletes, 5 % re-creations, 5 % poison, over both lanes. */
export function operationsOf(random: SeededRandom, size: WorkloadSize): readonly Operation[] {
  const keys = Array.from(
    { length: size.keys },
    (_, n): Key => ({ id: `k${n}`, version: 0, deleted: false, sent: [] }),
  );
  const deleted = new Set<Key>();
  return Array.from({ length: size.operations }, (_, n) => {
    const draw = random.uniform();
    const lane = random.uniform() < backfillShare ? "backfill" : "stream";
    const key = random.pick(keys);
    const make = (what: Pick<Operation, "version" | "action">, id = key.id): Operation => ({
      n,
      id,
      lane,
      poison: null,
      ...what,
    });
    if (draw < 0.05) return { ...make(next(key, "upsert", false)), poison: random.pick(poisons) };
    if (draw < 0.15 && key.sent.length > 0) return make(stale(key, random));
    if (draw < 0.2 && deleted.size > 0) {
      const gone = random.pick([...deleted]);
      deleted.delete(gone);
      return make(next(gone, "upsert"), gone.id);
    }
    if (draw < 0.3) {
      deleted.add(key);
      return make(next(key, "delete"));
    }
    deleted.delete(key);
    return make(next(key, "upsert"));
  });
}

function next(key: Key, action: Operation["action"], remembered = true) {
  key.version += versionStep;
  const what = { version: key.version, action };
  if (remembered) key.sent.push(what);
  return what;
}

/** What was sent before, or an upsert of a version below the newest that nobody has seen yet. */
function stale(key: Key, random: SeededRandom): Pick<Operation, "version" | "action"> {
  const earlier = random.pick(key.sent);
  if (random.uniform() < 0.5) return earlier;
  // Between two steps, where no other operation draws its version; one drawn twice is the same operation again.
  const step = Math.floor((earlier.version - 1) / versionStep) * versionStep;
  const late = { version: step + random.between(1, versionStep - 1), action: "upsert" } as const;
  const known = key.sent.find(({ version }) => version === late.version);
  if (known !== undefined) return known;
  key.sent.push(late);
  return late;
}

/** Cuts operations into batches of `min` to `max`, in order. */
export function batchesOf(
  operations: readonly Operation[],
  random: SeededRandom,
  { min, max }: { min: number; max: number },
): readonly (readonly Operation[])[] {
  const batches: (readonly Operation[])[] = [];
  for (let start = 0; start < operations.length; ) {
    const end = start + random.between(min, max);
    batches.push(operations.slice(start, end));
    start = end;
  }
  return batches;
}
