import { fail, isObject, type Reduced, type Result, reducedBy, succeed } from "@medley/core";

/** What `medley assign` chose, and why: the part of the lock that it writes. */
export interface Assigned {
  /** By `collection.space`. */
  readonly spaces: Readonly<Record<string, AssignedSpace>>;
  /** By collection: what its spaces weigh in searches that name no weights. */
  readonly weights: Readonly<Record<string, AssignedWeights>>;
  /** By collection, then by the class of searches: what its spaces weigh in these. */
  readonly classes: Readonly<Record<string, Readonly<Record<string, AssignedWeights>>>>;
  /** By collection: which of its spaces get by with fewer dimensions. */
  readonly dimensions: Readonly<Record<string, AssignedDimensions>>;
}

export interface AssignedSpace {
  /** The candidate's definition as the configuration had it: what serves is told by it, not by its place in a list. */
  readonly definition: Readonly<Record<string, unknown>>;
  readonly evidence: Evidence;
}

export interface AssignedWeights {
  /** By space. */
  readonly weights: Readonly<Record<string, number>>;
  readonly evidence: Evidence;
}

export interface AssignedDimensions {
  /** By space; the others have what their encoders give. */
  readonly spaces: Readonly<Record<string, Reduced>>;
  readonly evidence: Evidence;
}

/** For people and for the next assignment: nothing that serves depends on it. */
export type Evidence = Readonly<Record<string, unknown>>;

export const noAssignment: Assigned = Object.freeze({
  spaces: Object.freeze({}),
  weights: Object.freeze({}),
  classes: Object.freeze({}),
  dimensions: Object.freeze({}),
});

/** Reads the lock's `assigned`; the failure says which part of it is no assignment. */
export function assignedOf(json: unknown): Result<Assigned, string> {
  const {
    spaces = {},
    weights = {},
    classes = {},
    dimensions = {},
  } = isObject(json) ? json : { spaces: null };
  if (!isObject(spaces) || !isObject(weights) || !isObject(classes) || !isObject(dimensions))
    return fail("its assigned is no object of spaces, weights, classes and dimensions");
  for (const [place, space] of Object.entries(spaces)) {
    if (isObject(space) && isObject(space.definition) && isObject(space.evidence)) continue;
    return fail(`assigned.spaces[${JSON.stringify(place)}] has no definition with evidence`);
  }
  for (const [collection, entry] of Object.entries(weights)) {
    if (isWeights(entry)) continue;
    return fail(`assigned.weights[${JSON.stringify(collection)}] has no numbers with evidence`);
  }
  for (const [collection, entries] of Object.entries(classes)) {
    if (isObject(entries) && Object.values(entries).every(isWeights)) continue;
    return fail(`assigned.classes[${JSON.stringify(collection)}] has a class without numbers with evidence`);
  }
  for (const [collection, entry] of Object.entries(dimensions)) {
    const reduced =
      isObject(entry) && isObject(entry.evidence) && isObject(entry.spaces) ? entry.spaces : null;
    if (reduced !== null && Object.values(reduced).every(isReduced)) continue;
    return fail(`assigned.dimensions[${JSON.stringify(collection)}] has no reduced spaces with evidence`);
  }
  return succeed({ spaces, weights, classes, dimensions } as unknown as Assigned);
}

function isWeights(entry: unknown): boolean {
  if (!isObject(entry) || !isObject(entry.evidence) || !isObject(entry.weights)) return false;
  return Object.values(entry.weights).every(Number.isFinite);
}

function isReduced(entry: unknown): boolean {
  if (!isObject(entry)) return false;
  const { to, by } = entry;
  return Number.isSafeInteger(to) && (to as number) > 0 && (reducedBy as readonly unknown[]).includes(by);
}
