import { fail, type Result, succeed } from "../result.ts";
import { isObject, kindOf, show } from "./describe-value.ts";
import { parseRecordId } from "./parse-record-id.ts";

/** Of one record. A node with more is read by its neighbours' edges instead: a packet must fit a queue's message. */
export const edgesMax = 10_000;

/**
 * What the edges of a record lead to: a list of ids, where one that is named twice counts twice, or an object of ids to weights
 * above 0. Ids need not be of records that are there.
 */
export function parseEdges(input: unknown): Result<Readonly<Record<string, number>>, string> {
  if (!Array.isArray(input) && !isObject(input)) {
    return fail(`must be a list of ids, or an object of id to weight, not ${kindOf(input)}`);
  }
  const given: [unknown, unknown][] = Array.isArray(input)
    ? input.map((id) => [id, 1])
    : Object.entries(input);
  if (given.length > edgesMax) {
    return fail(`has ${given.length} edges, at most ${edgesMax} are taken; keep the heaviest`);
  }
  const weights = new Map<string, number>();
  for (const [position, [target, weight]] of given.entries()) {
    const id = parseRecordId(target);
    if (!id.ok) return fail(`has an id at position ${position} that ${id.failure}`);
    if (typeof weight !== "number" || !(Math.fround(weight) > 0) || !Number.isFinite(Math.fround(weight))) {
      return fail(
        `gives ${show(id.value)} the weight ${show(weight)}; a weight is a number above 0, so leave the edge out instead`,
      );
    }
    weights.set(id.value, (weights.get(id.value) ?? 0) + weight);
  }
  // An object with a prototype's keys as its own: an id may be "constructor", and "__proto__" too.
  return succeed(Object.fromEntries(weights));
}
