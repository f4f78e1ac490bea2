import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { Graph } from "../engine/graph.ts";
import { type Objective, objectiveLoss, targetInput, targetsOf } from "./objective.ts";

const angles = [0, 0.3, 1.4, 2, 2.2, 0.1];
const vectors = Float32Array.from(angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]));

async function lossOf(objective: Objective, groups: readonly number[]): Promise<number> {
  const rows = angles.length;
  const head = { weight: Float32Array.of(0.02, -0.01, 0.005, 0.03), bias: Float32Array.of(0.1, 0) };
  const graph = new Graph();
  const loss = objectiveLoss(objective, graph.input("vectors", [rows, 2]), head);
  const trained = new Map([...graph.parameters].map(([name, { initial }]) => [name, initial]));
  const served = new Graph({ trained });
  const again = objectiveLoss(objective, served.input("vectors", [rows, 2]), head);
  expect(again.shape).toEqual(loss.shape);
  const session = await InferenceSession.create(served.model(new Map([["loss", again]])));
  const targets = targetsOf(objective, groups, { batchRows: rows, classCount: 2 });
  const results = await session.run({
    vectors: new Tensor("float32", vectors, [rows, 2]),
    [targetInput]: new Tensor("float32", targets, [rows, targets.length / rows]),
  });
  return (results.loss as Tensor).data[0] as number;
}

/** Khosla et al. 2020, eq. 2, the mean over the rows that have another of their group. */
function supervisedContrast(groups: readonly number[], temperature: number): number {
  const similar = (a: number, b: number) =>
    Math.cos((angles[a] as number) - (angles[b] as number)) / temperature;
  const losses = groups.flatMap((group, row) => {
    const others = groups.flatMap((_, other) => (other === row ? [] : [other]));
    const positives = others.filter((other) => groups[other] === group);
    if (positives.length === 0) return [];
    const all = Math.log(others.reduce((sum, other) => sum + Math.exp(similar(row, other)), 0));
    return [positives.reduce((sum, other) => sum + all - similar(row, other), 0) / positives.length];
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

test.each([[[0, 0, 1, 1, 1, 0]], [[0, 0, 1, 1, 2, 2]], [[0, 0, 1, 2, 3, 4]]])(
  "the contrastive loss of groups %j is that of the paper",
  async (groups) => {
    const loss = await lossOf({ kind: "contrastive", temperature: 0.5 }, groups);
    expect(loss).toBeCloseTo(supervisedContrast(groups, 0.5), 4);
  },
);

test("rows after the given ones don't count in a classification", async () => {
  const [whole, first] = await Promise.all([
    lossOf({ kind: "classification" }, [0, 1, 0, 1, 0, 1]),
    lossOf({ kind: "classification" }, [0, 1]),
  ]);
  const logits = angles.slice(0, 2).map((angle) => {
    const [x, y] = [64 * Math.cos(angle), 64 * Math.sin(angle)];
    return [0.02 * x + 0.005 * y + 0.1, -0.01 * x + 0.03 * y] as const;
  });
  const expected = logits.map(
    (row, at) => Math.log(Math.exp(row[0]) + Math.exp(row[1])) - (row[at] as number),
  );
  expect(first).toBeCloseTo(((expected[0] as number) + (expected[1] as number)) / 2, 4);
  expect(whole).not.toBeCloseTo(first, 2);
});

test("smoothing spreads a share of the truth; class weights shift what counts, not how much", () => {
  const smooth = targetsOf({ kind: "classification", labelSmoothing: 0.2 }, [0], {
    batchRows: 1,
    classCount: 2,
  });
  expect([...smooth]).toEqual([expect.closeTo(0.9), expect.closeTo(0.1)]);
  const weighted = targetsOf({ kind: "classification" }, [0, 1], {
    batchRows: 2,
    classCount: 2,
    classWeights: [3, 1],
  });
  expect([...weighted]).toEqual([1.5, 0, 0, 0.5]);
});
