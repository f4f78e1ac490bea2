import { MedleyError } from "@medley/core";
import { checkFinite } from "../data/targets.ts";
import type { VectorTable } from "../evaluation/nearest-neighbours.ts";
import { type Adjacency, adjacencyOf, type Edge } from "./adjacency.ts";

/** A record as GraphSAGE learns from it. */
export interface SageNode {
  readonly id: string;
  /** What its edges lead to, and their weights; edges to what is no node here are left out. */
  readonly edges: Readonly<Record<string, number>>;
  /** As many numbers for every node. */
  readonly features: Float32Array;
  /** Its class; null where it is not known. */
  readonly label?: string | null;
}

export interface SageData {
  readonly ids: readonly string[];
  /** [nodes, features] */
  readonly features: VectorTable;
  readonly labels: readonly (string | null)[];
  /** Edges lead both ways. */
  readonly adjacency: Adjacency;
  /** From each node to those whose edges lead to it, itself not among them. */
  readonly incoming: Adjacency;
}

/**
 * Throws `MedleyError` `training_data_invalid` for no nodes, two of the same id, features of different lengths or not finite, and for
 * edges that `adjacencyOf` refuses.
 */
export async function readSageNodes(nodes: Iterable<SageNode> | AsyncIterable<SageNode>): Promise<SageData> {
  const read: SageNode[] = [];
  const known = new Set<string>();
  for await (const node of nodes) {
    if (known.has(node.id))
      throw refusal(`two nodes have the id ${JSON.stringify(node.id)}`, "give each node once");
    known.add(node.id);
    read.push(node);
  }
  const dimensions = read[0]?.features.length ?? 0;
  if (dimensions === 0) throw refusal("there are no nodes with features", "load records first");
  const odd = read.find(({ features }) => features.length !== dimensions);
  if (odd !== undefined) {
    const message = `node ${JSON.stringify(odd.id)} has ${odd.features.length} features where others have ${dimensions}`;
    throw refusal(message, "give every node as many");
  }
  const values = new Float32Array(read.length * dimensions);
  for (const [row, { features }] of read.entries()) values.set(features, row * dimensions);
  const ids = read.map(({ id }) => id);
  checkFinite(values, { name: "features", ids });
  const edges: Edge[] = [];
  for (const { id, edges: targets } of read) {
    for (const [to, weight] of Object.entries(targets))
      if (known.has(to)) edges.push({ from: id, to, weight });
  }
  const reversed = edges.filter(({ from, to }) => from !== to);
  return {
    ids,
    features: { values, dimensions },
    labels: read.map(({ label }) => label ?? null),
    adjacency: await adjacencyOf(edges, { nodes: ids }),
    incoming: await adjacencyOf(
      reversed.map(({ from, to, weight }) => ({
        from: to,
        to: from,
        ...(weight === undefined ? {} : { weight }),
      })),
      { directed: true, nodes: ids },
    ),
  };
}

function refusal(message: string, mend: string): MedleyError {
  return new MedleyError("training_data_invalid", message, { mend });
}
