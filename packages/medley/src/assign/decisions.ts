import { type Collection, canonicalJson, type SpaceDefinition } from "@medley/core";
import { type AssignedSpace, type Evidence, type ModelLock, updateLock } from "@medley/models";
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

/**
 * The weights that searches are to have where they name none, by space: those that were learned, where there is one task to learn them for, the
 * spaces serve as they were measured, and the configuration names no weights itself. Null: equal ones.
 */
export function weightsOf(assignment: Assignment, lock: ModelLock): Readonly<Record<string, number>> | null {
  const { collection, tasks } = assignment;
  const [task] = tasks;
  const learned = task?.weights;
  if (tasks.length !== 1 || !learned?.isUsed || !isUnweighted(collection, lock)) return null;
  const isServed = ({ place, current, proposed }: SpacePlan) => {
    const decision = task?.spaces.find(({ space }) => place === `${collection.name}.${space}`)?.decision;
    const measured = decision?.arms[decision.chosen]?.parts[0]?.candidate;
    return measured === undefined || measured === (proposed?.name ?? current);
  };
  if (!plansOf(assignment).every(isServed)) return null;
  return rounded(Object.fromEntries(learned.weights.map(({ space, weight }) => [space, weight])));
}

/** Weights that are not 1 are the configuration's, unless the lock has put them there. */
function isUnweighted({ name, weights }: Collection, { assigned }: ModelLock): boolean {
  const learned = assigned.weights[name]?.weights ?? {};
  return Object.entries(weights).every(([space, weight]) => weight === (learned[space] ?? 1) || weight === 1);
}

/** Whether the lock holds a choice for any space of the collection. */
export function wasAssigned({ name }: Collection, { assigned }: ModelLock): boolean {
  const isChosen = Object.keys(assigned.spaces).some((place) => place.startsWith(`${name}.`));
  return isChosen || Object.hasOwn(assigned.weights, name);
}

/** Writes what was decided, and the evidence for it, into the lock. */
export async function writeDecisions(
  lockFile: string,
  assignment: Assignment,
  { lock, nowMs }: { readonly lock: ModelLock; readonly nowMs: number },
): Promise<void> {
  const decided = plansOf(assignment).filter(({ proposed }) => proposed !== null);
  const learned = weightsOf(assignment, lock);
  const { name } = assignment.collection;
  await updateLock(lockFile, (_models, _trained, { spaces, weights, dimensions }) => {
    // Shares of a budget were measured with the encoders that served.
    const shares = dimensions[name];
    const replaced = decided.flatMap(({ place, changes }) => (changes ? [place.slice(name.length + 1)] : []));
    if (shares !== undefined) {
      const kept = Object.entries(shares.spaces).filter(([space]) => !replaced.includes(space));
      dimensions[name] = { ...shares, spaces: Object.fromEntries(kept) };
    }
    delete weights[name];
    if (learned !== null)
      weights[name] = {
        weights: learned,
        evidence: { ...origin(assignment, nowMs), ...rounded(assignment.tasks[0]?.weights) },
      };
    for (const { place, proposed } of decided) {
      const { definition, space } = proposed as Candidate;
      spaces[place] = {
        definition: definition as unknown as AssignedSpace["definition"],
        evidence: evidenceOf(space, assignment, nowMs),
      };
    }
  });
}

/** What figures follow from. */
export function origin({ sample, seed }: Pick<Assignment, "sample" | "seed">, nowMs: number): Evidence {
  return { date: new Date(nowMs).toISOString(), seed, data: sample.fingerprint };
}

/** Figures with their intervals, and what they follow from. */
function evidenceOf(space: string, assignment: Assignment, nowMs: number): Evidence {
  const { tasks } = assignment;
  return {
    ...origin(assignment, nowMs),
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
export function rounded<Value>(value: Value): Value {
  return JSON.parse(
    JSON.stringify(value, (_key, one) => (typeof one === "number" ? Number(one.toPrecision(4)) : one)),
  ) as Value;
}
