import { strict as assert } from "node:assert";
import { MedleyError, type Random } from "@medley/core";
import type { ClassTarget } from "../data/targets.ts";
import { type Batch, crossEntropy, type Graph, glorotInitial, type Value } from "../engine/index.ts";
import type { SageBatches } from "./sage-batches.ts";
import { Walker, type WalkGraph } from "./walks.ts";

/** What nodes' vectors are to do: which nodes a step needs, and the loss of what they are. */
export interface Objective {
  /** Nodes per step. */
  readonly targets: number;
  readonly stepsPerEpoch: number;
  /** The nodes of each step of an epoch [targets], and what the loss takes beside them. */
  readonly steps: (random: Random) => Iterable<{ readonly nodes: Int32Array; readonly taken: Batch }>;
  /** `embedding` [targets, dimensions] to a scalar. */
  readonly loss: (graph: Graph, embedding: Value) => Value;
}

/** Cosines are multiplied by it before they become probabilities. */
const sharpness = 5;

/** The classes of nodes, [..., classes], from the cosines of their vectors and one vector per class. */
export function classLogits(graph: Graph, embedding: Value, classCount: number): Value {
  const dimensions = embedding.size(-1);
  const classes = graph.parameter("classes", [dimensions, classCount], glorotInitial(dimensions, classCount));
  return embedding.unit().matmul(classes).mul(sharpness);
}

/** Nodes of a class are to be apart from those of others: cross-entropy. An epoch is each labelled node once. */
export function apart(
  { rows, labels, classes }: ClassTarget,
  { batchRows }: { readonly batchRows: number },
): Objective {
  const targets = Math.min(batchRows, rows.length);
  const stepsPerEpoch = Math.ceil(rows.length / targets);
  const classCount = classes.length;
  return {
    targets,
    stepsPerEpoch,
    *steps(random) {
      const order = random.shuffle(Int32Array.from(rows.keys()));
      for (let from = 0; from < rows.length; from += targets) {
        const nodes = new Int32Array(targets);
        const taken = new Float32Array(targets * classCount);
        for (let at = 0; at < targets; at += 1) {
          // The last batch is filled up from the beginning.
          const place = order[(from + at) % rows.length] as number;
          nodes[at] = rows[place] as number;
          taken[at * classCount + (labels[place] as number)] = 1;
        }
        yield { nodes, taken: { labels: taken } };
      }
    },
    loss: (graph, embedding) =>
      crossEntropy(classLogits(graph, embedding, classCount), graph.input("labels", [targets, classCount])),
  };
}

/** Nodes of a walk; its first is paired with each of the others. */
const walkLength = 5;

/**
 * Nodes that walks bring together are to be alike, and unlike nodes drawn by their edges: equation 1 of the paper with Q = 1, which by
 * leave-one-out on Cora's training papers is better than 5. The negatives of a step are those of all its pairs. An epoch is a walk
 * from each node.
 */
export function together(
  graph: WalkGraph,
  { batchRows, negatives }: { readonly batchRows: number; readonly negatives: number },
): Objective {
  const nodes = graph.offsets.length - 1;
  const edges = graph.targets.length;
  if (edges === 0) {
    throw new MedleyError("training_data_invalid", "the graph has no edges between its nodes", {
      mend: "name a target, or train when there are records whose edges lead to others",
    });
  }
  const connected = Uint32Array.from({ length: nodes }, (_, node) => node).filter(
    (node) => graph.offsets[node + 1] !== graph.offsets[node],
  );
  const pairs = connected.length * (walkLength - 1);
  const perStep = Math.min(batchRows, pairs);
  const stepsPerEpoch = Math.ceil(pairs / perStep);
  return {
    targets: 2 * perStep + negatives,
    stepsPerEpoch,
    *steps(random) {
      const walks = new Int32Array(connected.length * walkLength);
      const options = { length: walkLength, p: 1, q: 1, seed: random.uint32() };
      new Walker(graph, options).walkAll(connected, 0, walks);
      const order = random.shuffle(Uint32Array.from({ length: pairs }, (_, pair) => pair));
      for (let step = 0; step < stepsPerEpoch; step += 1) {
        const chosen = new Int32Array(2 * perStep + negatives);
        for (let at = 0; at < perStep; at += 1) {
          const pair = order[(step * perStep + at) % pairs] as number;
          const walk = Math.floor(pair / (walkLength - 1)) * walkLength;
          chosen[at] = walks[walk] as number;
          chosen[perStep + at] = walks[walk + 1 + (pair % (walkLength - 1))] as number;
        }
        for (let at = 2 * perStep; at < chosen.length; at += 1) {
          chosen[at] = graph.targets[random.below(edges)] as number;
        }
        yield { nodes: chosen, taken: {} };
      }
    },
    loss: (_, embedding) => {
      const unit = embedding.unit();
      const from = unit.slice(0, 0, perStep);
      const near = unit.slice(0, perStep, 2 * perStep);
      const far = unit.slice(0, 2 * perStep, 2 * perStep + negatives);
      const alike = from.mul(near).sum([-1]).mul(-sharpness).softplus().mean();
      const unlike = from.matmul(far.transposed()).mul(sharpness).softplus().mean();
      return alike.add(unlike);
    },
  };
}

/** The batches of an epoch; a batch's arrays are written anew for the next one. */
export function* batchesOf(
  objective: Objective,
  batches: SageBatches,
  random: Random,
): Generator<Batch, void, void> {
  for (const { nodes, taken } of objective.steps(random)) {
    assert.equal(nodes.length, objective.targets);
    yield { ...batches.fill(nodes, random), ...taken };
  }
}
