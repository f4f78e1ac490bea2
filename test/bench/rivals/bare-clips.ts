import { readFileSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { sessionOptions } from "@medley/models/session-options";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { shareOut } from "./share-out.ts";

export interface BareClipsStart {
  readonly modelPath: string;
  /** WAV files of 16 bits, mono, at the model's rate, whose samples begin at byte 44. */
  readonly paths: readonly string[];
}

/** Clips through onnxruntime-node, one after the other. */
const { modelPath, paths } = workerData as BareClipsStart;
const session = await InferenceSession.create(readFileSync(modelPath), sessionOptions);
const [inputName = ""] = session.inputNames;

shareOut(paths.length, async (index) => {
  const bytes = readFileSync(paths[index] as string);
  const samples = new Float32Array((bytes.length - 44) / 2);
  for (let i = 0; i < samples.length; i++) samples[i] = bytes.readInt16LE(44 + 2 * i) / 32_768;
  const output = await session.run({ [inputName]: new Tensor("float32", samples, [1, samples.length]) });
  const { data, dims } = output.last_hidden_state as Tensor;
  const dimensions = dims[2] as number;
  const mean = new Float32Array(dimensions);
  (data as Float32Array).forEach((value, at) => {
    mean[at % dimensions] = (mean[at % dimensions] as number) + value;
  });
  return mean;
});
