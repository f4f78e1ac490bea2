import { fail, isObject, type Result, succeed } from "@medley/core";
import type { InputFailure } from "../runtime/session.ts";
import type { ArtefactFiles, Features, FeaturesManifest } from "./features.ts";
import { readVocabulary } from "./read-vocabulary.ts";

/** A record of a graph: its id, and what its edges lead to, with weights above 0. */
export interface NodeValue {
  readonly id: string;
  readonly edges: Readonly<Record<string, number>>;
}

/** The ids of the table's rows: a JSON list, row 0 first. */
export const nodesFile = "nodes.json";

/** Of a node that is made of its neighbours: those with the heaviest edges count, so that a hub is no batch of its own. */
const neighboursMax = 256;

/**
 * A node that was trained on is its own row of the table. One that was not is the mean of those of its neighbours that were,
 * weighted by its edges; where none was, it says nothing.
 */
export function node2vecFeatures(_manifest: FeaturesManifest, files: ArtefactFiles): Features<NodeValue> {
  const rows = new Map(readVocabulary(files, nodesFile).map((id, row) => [id, row]));
  const row = ({ id, edges }: NodeValue): Float32Array => {
    const own = rows.get(id);
    if (own !== undefined) return Float32Array.of(own, 1);
    const known = Object.entries(edges)
      .filter(([target]) => rows.has(target))
      .sort(([, a], [, b]) => b - a)
      .slice(0, neighboursMax);
    const total = known.reduce((sum, [, weight]) => sum + weight, 0);
    return Float32Array.from(
      known.flatMap(([target, weight]) => [rows.get(target) as number, weight / total]),
    );
  };
  return {
    row: (value) => succeed(row(value)),
    queryRow: (query) => {
      const node = queryNode(query);
      return node.ok ? succeed(row(node.value)) : node;
    },
  };
}

function queryNode(query: unknown): Result<NodeValue, InputFailure> {
  if (typeof query === "string") return succeed({ id: query, edges: {} });
  const edges = isObject(query) ? query.edges : undefined;
  if (!isObject(edges) || !Object.values(edges).every(isWeight)) {
    return fail({ message: "the query is no node", mend: 'give a node\'s id, or {"edges": {"id": 1}}' });
  }
  return succeed({ id: "", edges: edges as Record<string, number> });
}

function isWeight(weight: unknown): boolean {
  return typeof weight === "number" && Number.isFinite(weight) && weight > 0;
}
