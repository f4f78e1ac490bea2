import { Graph, TrainingStep } from "@medley/training/engine";
import * as ort from "onnxruntime-node";
import { lossOf, shapesOf } from "./training-blocks.ts";
const [kind, threadsText = "1", stepsText = "200"] = process.argv.slice(2);
const blocks: any = {
  perceptron: { kind: "perceptron", batch: 256, inputs: 384, hidden: 256, classes: 7 },
  attention: { kind: "attention", batch: 32, steps: 96, width: 128, heads: 8, hidden: 512 },
};
const create = ort.InferenceSession.create.bind(ort.InferenceSession);
const over = JSON.parse(process.env.SO ?? "{}");
const prof = process.env.PROFILE;
(ort.InferenceSession as any).create = (b: any, o: any) => {
  if (process.env.DUMP) require("node:fs").writeFileSync(process.env.DUMP, b);
  return create(b, { ...o, ...over, ...(prof ? { enableProfiling: true, profileFilePrefix: prof } : {}) });
};
const block = blocks[kind!];
const graph = new Graph({ seed: 1 });
const step = await TrainingStep.create(graph, lossOf(graph, block), { threads: Number(threadsText) });
const shapes = shapesOf(block);
const size = (s: readonly number[]) => s.reduce((a, b) => a * b, 1);
const x = Float32Array.from({ length: size(shapes.x) }, () => Math.random() - 0.5);
const y = Float32Array.from({ length: size(shapes.y) }, () => Math.random() - 0.5);
if (kind === "perceptron") { y.fill(0); for (let i = 0; i < 256; i++) y[i * 7 + (i % 7)] = 1; }
const times: number[] = [];
for (let i = 0; i < Number(stepsText); i++) { const t = performance.now(); await step.train({ x, y }, 1e-3); times.push(performance.now() - t); }
times.sort((a, b) => a - b);
console.log(kind, "threads", threadsText, "median", times[times.length >> 1]!.toFixed(3), "p10", times[Math.floor(times.length / 10)]!.toFixed(3), process.env.SO ?? "");
await step.close();
