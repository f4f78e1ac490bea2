import { readFileSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { sessionOptions } from "@medley/models/session-options";
import { InferenceSession, Tensor } from "onnxruntime-node";
import sharp from "sharp";
import { shareOut } from "./share-out.ts";

export interface BarePicturesStart {
  readonly modelPath: string;
  readonly paths: readonly string[];
  readonly mean: readonly number[];
  readonly resized: number;
  readonly cropped: number;
}

/** Picture files through sharp and onnxruntime-node, one after the other: BGR less the mean, [1, side, side, 3]. */
const { modelPath, paths, mean, resized, cropped } = workerData as BarePicturesStart;
sharp.cache(false);
sharp.concurrency(1);
const session = await InferenceSession.create(readFileSync(modelPath), sessionOptions);
const [inputName = ""] = session.inputNames;
const edge = (resized - cropped) / 2;

shareOut(paths.length, async (index) => {
  const levels = await sharp(readFileSync(paths[index] as string))
    .resize(resized, resized, { fit: "fill", kernel: "linear" })
    .extract({ left: edge, top: edge, width: cropped, height: cropped })
    .toColourspace("srgb")
    .removeAlpha()
    .raw()
    .toBuffer();
  const values = new Float32Array(levels.length);
  for (let at = 0; at < levels.length; at += 3) {
    for (let c = 0; c < 3; c++) values[at + c] = (levels[at + 2 - c] as number) - (mean[c] as number);
  }
  const output = await session.run({ [inputName]: new Tensor("float32", values, [1, cropped, cropped, 3]) });
  return (Object.values(output)[0] as Tensor).data as Float32Array;
});
