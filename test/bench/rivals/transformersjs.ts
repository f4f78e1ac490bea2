import { basename, dirname } from "node:path";
import { env, pipeline } from "@huggingface/transformers";

/** Asked of the process: encode `texts` in batches, in the order given. */
export interface TransformersJsRequest {
  readonly texts: readonly string[];
  readonly batchTexts: number;
}

export interface TransformersJsAnswer {
  /** Of the encoding alone; loading and the way between the processes don't count. */
  readonly seconds: number;
  readonly vectors: readonly number[][];
}

/** A process of transformers.js. Arguments: the model's folder, and the session's threads (0: its own default). */
const [modelDirectory = "", threads = "0"] = process.argv.slice(2);

env.allowRemoteModels = false;
env.localModelPath = dirname(modelDirectory);
const extract = await pipeline("feature-extraction", basename(modelDirectory), {
  dtype: "fp32",
  device: "cpu",
  session_options: threads === "0" ? {} : { intraOpNumThreads: Number(threads) },
});

process.on("message", async ({ texts, batchTexts }: TransformersJsRequest) => {
  const vectors: number[][] = [];
  const start = performance.now();
  for (let from = 0; from < texts.length; from += batchTexts) {
    const batch = texts.slice(from, from + batchTexts);
    vectors.push(...(await extract(batch, { pooling: "mean", normalize: true })).tolist());
  }
  process.send?.({ seconds: (performance.now() - start) / 1_000, vectors } satisfies TransformersJsAnswer);
});
process.send?.("ready");
