import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SegmentClassifier } from "./classifier.ts";

/** Of two classes and two dimensions. */
async function classifierOf(options: {
  weight: readonly [number, number, number, number];
  bias: readonly [number, number];
  temperature: number;
}): Promise<SegmentClassifier> {
  const { weight, bias, temperature } = options;
  const tensors = {
    "linear.weight": { dtype: "F32", shape: [2, 2], data_offsets: [0, 16] },
    "linear.bias": { dtype: "F32", shape: [2], data_offsets: [16, 24] },
  };
  const header = Buffer.from(JSON.stringify(tensors).padEnd(256));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(256n);
  const bytes = Buffer.concat([length, header, Buffer.from(Float32Array.of(...weight, ...bias).buffer)]);
  const folder = await mkdtemp(join(tmpdir(), "medley-classifier-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "model.safetensors");
  await writeFile(path, bytes);
  const pinned = { path, sha256: createHash("sha256").update(bytes).digest("hex") };
  const described = { target: "tone", labels: ["bad", "good"], temperature };
  return new SegmentClassifier(described, pinned, 2);
}

test("the label of the greatest logit, its probability softened by the temperature; nothing of an all-zero segment", async () => {
  const classifier = await classifierOf({ weight: [1, 0, 0, 3], bias: [0.5, 0], temperature: 2 });
  const odds = Math.exp((3 * 0.75 - 1) / 2);
  expect(classifier.classify(Float32Array.of(0.5, 0.75))).toMatchObject({
    label: "good",
    probability: expect.closeTo(odds / (1 + odds), 12),
  });
  expect(classifier.classify(new Float32Array(2))).toBeNull();
});

test("a segment says the same before it is stored in half precision and after", async () => {
  const classifier = await classifierOf({ weight: [40, -30, -20, 50], bias: [0, 1], temperature: 1 });
  for (let n = 1; n < 50; n += 1) {
    const angle = n / 29;
    const encoded = Float32Array.of(Math.sin(angle), Math.cos(angle));
    const stored = Float16Array.from(encoded);
    expect(classifier.classify(encoded)).toEqual(classifier.classify(stored));
  }
});
