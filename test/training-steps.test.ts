import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { type Batch, Graph, type StateTensor, TrainingStep } from "@medley/training/engine";
import { describe, expect, test } from "vitest";
import { lossOf, type TrainingBlock } from "./bench/training-blocks.ts";

/** By infra/reference/training-steps.py; little-endian float32 in base64. */
interface Reference {
  readonly settings: { readonly rate: number; readonly decay: number; readonly clipNorm: number };
  readonly blocks: Readonly<Record<TrainingBlock["kind"], Steps>>;
}
interface Steps {
  readonly block: TrainingBlock;
  readonly batches: readonly { readonly x: string; readonly y: string }[];
  readonly losses: readonly number[];
  readonly before: Readonly<Record<string, string>>;
  readonly after: Readonly<Record<string, string>>;
}

const file = gunzipSync(readFileSync(new URL("./training-steps.json.gz", import.meta.url)));
const { settings, blocks }: Reference = JSON.parse(file.toString());
const kinds = ["perceptron", "dlinear", "attention", "autoformer", "convolution"] as const;
const errorMax = 1e-3;
/**
 * A softmax doesn't see what is the same for all keys of a query, or all delays of a series: these gradients are rounding alone,
 * which Adam scales up to whole steps.
 */
const withoutGradient = new Set(["self/key/bias", "query/bias", "key/bias"]);

function floatsOf(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(text, "base64")).buffer);
}

/** Begins with the parameters and running statistics that PyTorch began with. */
async function opened({ block, before }: Steps): Promise<TrainingStep> {
  const graph = new Graph();
  const step = await TrainingStep.create(graph, lossOf(graph, block), {
    optimiser: { weightDecay: settings.decay, clipNorm: settings.clipNorm },
  });
  const state = new Map(step.state());
  for (const [name, text] of Object.entries(before)) {
    const { dims } = state.get(name) as StateTensor;
    state.set(name, { dims, data: floatsOf(text) });
  }
  step.restore(state);
  expect([...step.trained().keys()].sort()).toEqual(Object.keys(before).sort());
  return step;
}

describe("ten steps of AdamW are PyTorch's", () => {
  test.for(kinds)("%s", async (kind) => {
    const steps = blocks[kind];
    await using step = await opened(steps);
    for (const [at, { x, y }] of steps.batches.entries()) {
      const batch: Batch = { x: floatsOf(x), y: floatsOf(y) };
      const { loss } = await step.train(batch, settings.rate);
      expect(Math.abs(loss - (steps.losses[at] as number)), `step ${at + 1}`).toBeLessThanOrEqual(errorMax);
    }
    const trained = step.trained();
    for (const [name, text] of Object.entries(steps.after)) {
      if (withoutGradient.has(name)) continue;
      const found = trained.get(name) as Float32Array;
      const differences = Array.from(floatsOf(text), (value, at) => Math.abs(value - (found[at] as number)));
      expect(Math.max(...differences), name).toBeLessThanOrEqual(errorMax);
    }
  });
});
