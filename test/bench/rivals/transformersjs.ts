import { basename, dirname } from "node:path";
import { env, pipeline } from "@huggingface/transformers";
import { serve } from "./serve.ts";

/** A process of transformers.js. Arguments: the model's folder, and the session's threads (0: its own default). */
const [modelDirectory = "", threads = "0"] = process.argv.slice(2);

env.allowRemoteModels = false;
env.localModelPath = dirname(modelDirectory);
const extract = await pipeline("feature-extraction", basename(modelDirectory), {
  dtype: "fp32",
  device: "cpu",
  session_options: threads === "0" ? {} : { intraOpNumThreads: Number(threads) },
});

await serve(async (texts, batchTexts) => {
  const vectors: number[][] = [];
  for (let from = 0; from < texts.length; from += batchTexts) {
    const batch = texts.slice(from, from + batchTexts);
    vectors.push(...(await extract(batch, { pooling: "mean", normalize: true })).tolist());
  }
  return vectors;
});
