import { type Collection, canonicalJson, type SpaceDefinition } from "@medley/core";
import { type AssignedSpace, type ModelLock, updateLock } from "@medley/models";
import type { SpaceChoice, TaskReport } from "@medley/training";
import type { Assignment } from "./assign-collection.ts";
import type { Candidate } from "./candidates.ts";

/** What an assignment says of a space with candidates, beside what the lock says. */
export interface SpacePlan {
  readonly place: string;
  readonly verdict: SpaceChoice["verdict"];
  /** What serves now. */
  readonly current: string;
  /** What the lock is to say; null where nothing was decided. */
  readonly proposed: Candidate | null;
  readonly changes: boolean;
}

export function plansOf({ collection, candidates, choices }: Assignment): readonly SpacePlan[] {
  return collection.spaces
    .filter((space) => space.candidates.length > 0)
    .map((space) => {
      const own = candidates.filter((candidate) => candidate.space === space.name);
      const choice = choices.find((one) => one.space === space.name);
      const verdict = choice?.verdict ?? "no_evidence";
      const isDecided = verdict === "best" || verdict === "as_good";
      const proposed = (isDecided && own.find(({ name }) => name === choice?.candidate)) || null;
      const current = currentOf(space.definition, own);
      const place = `${collection.name}.${space.name}`;
      return { place, verdict, current, proposed, changes: proposed !== null && proposed.name !== current };
    });
}

function currentOf(definition: SpaceDefinition, candidates: readonly Candidate[]): string {
  const serving = comparable(definition);
  return (candidates.find((one) => comparable(one.definition) === serving) ?? candidates[0])?.name as string;
}

/** Without the folder of contents, which is absolute in what serves and as it was written in a candidate. */
function comparable(definition: SpaceDefinition): string {
  if (!("from" in definition)) return canonicalJson(definition);
  return canonicalJson({ ...definition, from: { ...definition.from, folder: undefined } });
}

/** Whether the lock holds a choice for any space of the collection. */
export function wasAssigned({ name }: Collection, { assigned }: ModelLock): boolean {
  return Object.keys(assigned.spaces).some((place) => place.startsWith(`${name}.`));
}

/** Writes what was decided, and the evidence for it, into the lock. */
export async function writeDecisions(
  lockFile: string,
  assignment: Assignment,
  { nowMs }: { readonly nowMs: number },
): Promise<void> {
  const decided = plansOf(assignment).filter(({ proposed }) => proposed !== null);
  await updateLock(lockFile, (_models, _trained, { spaces }) => {
    for (const { place, proposed } of decided) {
      const { definition, space } = proposed as Candidate;
      spaces[place] = {
        definition: definition as unknown as AssignedSpace["definition"],
        evidence: evidenceOf(space, assignment, nowMs),
      };
    }
  });
}

/** Figures with their intervals, and what they follow from. */
function evidenceOf(
  space: string,
  { sample, seed, tasks }: Assignment,
  nowMs: number,
): AssignedSpace["evidence"] {
  return {
    date: new Date(nowMs).toISOString(),
    seed,
    data: sample.fingerprint,
    tasks: Object.fromEntries(
      tasks.flatMap((task) => {
        const figures = figuresOf(space, task);
        return figures === null ? [] : [[task.task, figures]];
      }),
    ),
  };
}

function figuresOf(space: string, { spaces, baseline, rows }: TaskReport): object | null {
  const found = spaces.find((one) => one.space === space);
  if (found === undefined) return null;
  const { arms, test } = found.decision;
  return {
    verdict: found.verdict,
    rows,
    baseline: rounded(baseline),
    candidates: Object.fromEntries(
      arms.map(({ parts, validation, behind, cost }) => [
        parts[0]?.candidate,
        { validation: rounded(validation), behind: rounded(behind), cost: rounded(cost) },
      ]),
    ),
    test: rounded({ ...test.chosen, isConfirmed: test.isConfirmed }),
  };
}

/** Four digits are all that a reader of the lock can use. */
function rounded<Value>(value: Value): Value {
  return JSON.parse(
    JSON.stringify(value, (_key, one) => (typeof one === "number" ? Number(one.toPrecision(4)) : one)),
  ) as Value;
}
