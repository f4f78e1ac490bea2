import { canonicalJson, type Reduced } from "@medley/core";
import { type ModelLock, updateLock } from "@medley/models";
import type { DimensionSplit } from "@medley/training";
import { origin, rounded } from "../decisions.ts";
import type { DimensionAssignment } from "./assign-dimensions.ts";

/** What the lock says of a collection's dimensions, and what it is to say. */
export interface DimensionPlan {
  /** By space; null: no budget was shared yet. */
  readonly current: Readonly<Record<string, Reduced>> | null;
  readonly proposed: Readonly<Record<string, Reduced>>;
  readonly changes: boolean;
}

export function dimensionPlanOf(collection: string, split: DimensionSplit, lock: ModelLock): DimensionPlan {
  const current = lock.assigned.dimensions[collection]?.spaces ?? null;
  const proposed = Object.fromEntries(
    split.spaces.flatMap(({ space, to, by }) => (by === null ? [] : [[space, { to, by }]])),
  );
  return { current, proposed, changes: canonicalJson(current) !== canonicalJson(proposed) };
}

export async function writeDimensions(
  lockFile: string,
  assignment: DimensionAssignment,
  { proposed, nowMs }: Pick<DimensionPlan, "proposed"> & { readonly nowMs: number },
): Promise<void> {
  const { collection, split, budget } = assignment;
  if (split === null) throw new TypeError("the budget is shared");
  const { from, to, loss, weightings, queries } = split;
  await updateLock(lockFile, (_models, _trained, { dimensions }) => {
    dimensions[collection.name] = {
      spaces: proposed,
      evidence: {
        ...origin(assignment, nowMs),
        ...rounded({ budget, from, to, queries, loss }),
        recall: Object.fromEntries(weightings.map(({ name, test }) => [name, rounded(test)])),
      },
    };
  });
}
