import { type Collection, canonicalJson, type SpaceDefinition } from "@medley/core";
import { type AssignedSpace, type Evidence, type ModelLock, updateLock } from "@medley/models";
import type { LearnedWeights, SpaceChoice, TaskReport } from "@medley/training";
import type { Assignment } from "./assign-collection.ts";
import type { Candidate } from "./candidates.ts";

/** What an assignment says of a space with candidates, beside what the lock says. */
export interface SpacePlan {
  readonly place: string;
  /** `skipped`: none of its candidates was measured. */
  readonly verdict: SpaceChoice["verdict"] | "skipped";
  /** What serves now. */
  readonly current: string;
  /** What the lock is to say; null where nothing was decided. */
  readonly proposed: Candidate | null;
  readonly changes: boolean;
}

export function plansOf(assignment: Assignment): readonly SpacePlan[] {
  const { collection, candidates, choices } = assignment;
  const unmeasured = skippedSpaces(assignment);
  return collection.spaces
    .filter((space) => space.candidates.length > 0)
    .map((space) => {
      const own = candidates.filter((candidate) => candidate.space === space.name);
      const choice = choices.find((one) => one.space === space.name);
      const verdict = unmeasured.has(space.name) ? "skipped" : (choice?.verdict ?? "no_evidence");
      const isDecided = verdict === "best" || verdict === "as_good";
      const proposed = (isDecided && own.find(({ name }) => name === choice?.candidate)) || null;
      const current = currentOf(space.definition, own);
      const place = `${collection.name}.${space.name}`;
      return { place, verdict, current, proposed, changes: proposed !== null && proposed.name !== current };
    });
}

/** Those of which no candidate was measured. */
function skippedSpaces({ candidates, skipped }: Assignment): ReadonlySet<string> {
  const without = new Set(skipped.map(({ candidate }) => candidate));
  const measured = new Set(candidates.filter((one) => !without.has(one)).map(({ space }) => space));
  return new Set(skipped.map(({ candidate }) => candidate.space).filter((space) => !measured.has(space)));
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

/** By space. */
type Weights = Readonly<Record<string, number>>;

/**
 * The weights that searches are to have where they name none, by space: those that were learned, where there is one task to learn them for, the
 * spaces serve as they were measured, none was left out, and the configuration names no weights itself. Null: equal ones.
 */
export function weightsOf(assignment: Assignment, lock: ModelLock): Weights | null {
  const [task] = assignment.tasks;
  const learned = task?.weights;
  if (assignment.tasks.length !== 1 || !learned?.isUsed || !maySetWeights(assignment, lock)) return null;
  return isServed(task as TaskReport, assignment) ? numbersOf(learned) : null;
}

/**
 * What searches of a class are to weigh, by its name: under the same conditions what the classes of one task's queries do better with, or of
 * several tasks each. A class that does not do better is known as well, and weighs as all searches do: nothing.
 */
export function classWeightsOf(assignment: Assignment, lock: ModelLock): Readonly<Record<string, Weights>> {
  return Object.fromEntries(classesOf(assignment, lock).map(({ name, weights }) => [name, weights]));
}

interface LearnedClass {
  readonly name: string;
  readonly weights: Weights;
  /** Null where there were too few queries. */
  readonly figures: Omit<LearnedWeights, "classes"> | null;
}

function withoutClasses({ classes: _, ...shared }: LearnedWeights): Omit<LearnedWeights, "classes"> {
  return shared;
}

function classesOf(assignment: Assignment, lock: ModelLock): readonly LearnedClass[] {
  const { tasks } = assignment;
  const maySet = maySetWeights(assignment, lock);
  return tasks.flatMap((task): readonly LearnedClass[] => {
    const isFit = maySet && isServed(task, assignment);
    const learned = (name: string, figures: LearnedClass["figures"]) => {
      const isUsed = isFit && figures?.isUsed === true;
      return { name, weights: isUsed ? numbersOf(figures) : {}, figures };
    };
    const { weights, classes } = task;
    if (tasks.length > 1) return [learned(task.task, weights === null ? null : withoutClasses(weights))];
    return classes.map((name) => learned(name, weights?.classes.find((one) => one.class === name) ?? null));
  });
}

function maySetWeights(assignment: Assignment, lock: ModelLock): boolean {
  return skippedSpaces(assignment).size === 0 && isUnweighted(assignment.collection, lock);
}

/** Whether each space serves, or is to serve, by what the task's weights were learned with. */
function isServed(task: TaskReport, assignment: Assignment): boolean {
  return plansOf(assignment).every(({ place, current, proposed }) => {
    const own = task.spaces.find(({ space }) => place === `${assignment.collection.name}.${space}`);
    const measured = own?.decision.arms[own.decision.chosen]?.parts[0]?.candidate;
    return measured === undefined || measured === (proposed?.name ?? current);
  });
}

function numbersOf({ weights }: Pick<LearnedWeights, "weights">): Weights {
  return rounded(Object.fromEntries(weights.map(({ space, weight }) => [space, weight])));
}

/** Weights that are not 1 are the configuration's, unless the lock has put them there. */
function isUnweighted({ name, weights }: Collection, { assigned }: ModelLock): boolean {
  const learned = assigned.weights[name]?.weights ?? {};
  return Object.entries(weights).every(([space, weight]) => weight === (learned[space] ?? 1) || weight === 1);
}

/** Whether the lock holds a choice for any space of the collection. */
export function wasAssigned({ name }: Collection, { assigned }: ModelLock): boolean {
  const isChosen = Object.keys(assigned.spaces).some((place) => place.startsWith(`${name}.`));
  const classes = Object.values(assigned.classes[name] ?? {});
  const isClassed = classes.some(({ weights }) => Object.keys(weights).length > 0);
  return isChosen || isClassed || Object.hasOwn(assigned.weights, name);
}

/** Writes what was decided, and the evidence for it, into the lock. */
export async function writeDecisions(
  lockFile: string,
  assignment: Assignment,
  { lock, nowMs }: { readonly lock: ModelLock; readonly nowMs: number },
): Promise<void> {
  const decided = plansOf(assignment).filter(({ proposed }) => proposed !== null);
  const learned = weightsOf(assignment, lock);
  const ofClasses = classesOf(assignment, lock);
  const shared = assignment.tasks[0]?.weights;
  const { name } = assignment.collection;
  await updateLock(lockFile, (_models, _trained, { spaces, weights, classes, dimensions }) => {
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
        evidence: { ...origin(assignment, nowMs), ...rounded(withoutClasses(shared as LearnedWeights)) },
      };
    delete classes[name];
    if (ofClasses.length > 0) {
      const entries = ofClasses.map(({ name: of, weights: own, figures }) => {
        const evidence = { ...origin(assignment, nowMs), ...(figures === null ? {} : rounded(figures)) };
        return [of, { weights: own, evidence }] as const;
      });
      classes[name] = Object.fromEntries(entries);
    }
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
