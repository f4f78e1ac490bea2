import { strict as assert } from "node:assert";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openModelRuntime } from "@medley/models";
import { cosine } from "../cosine.ts";
import { duel, secondsOf } from "../duel.ts";
import { defaultModelDirectory, lengthMixes } from "../length-mixes.ts";
import type { Measurement } from "../measurement.ts";

const rounds = 5;
const goalDifference = 0.05;
const name = "speed with weights stored as int8 / stored as float32";
const goal = `0.95 to 1.05`;

/** What storing weights as int8 costs once they are loaded: nothing, since they are unfolded to float32 then. */
export async function run(): Promise<Measurement[]> {
  const original = process.env.MEDLEY_FP32_MINILM;
  if (original === undefined) {
    const detail = "not run: MEDLEY_FP32_MINILM names no file; infra/default-model/fetch.sh fetches it";
    return [{ name, value: null, goal, met: null, detail }];
  }
  const folder = await mkdtemp(join(tmpdir(), "medley-bench-"));
  try {
    await cp(defaultModelDirectory, folder, { recursive: true });
    await rm(join(folder, "manifest.json"));
    await cp(original, join(folder, "onnx/model.onnx"));
    await using runtime = openModelRuntime({ environment: {} });
    const stored = await runtime.textEncoder("all-MiniLM-L6-v2");
    const float32 = await runtime.textEncoder(folder);
    const { texts } = lengthMixes().natural;
    const timeOf = (encoder: typeof stored) => () => secondsOf(() => encoder.encode(texts));
    const fight = await duel(rounds, timeOf(stored), timeOf(float32));
    const [ours, theirs] = [await stored.encode(texts), await float32.encode(texts)];
    const cosines = ours.map((result, index) => {
      const other = theirs[index];
      assert(result.ok && other?.ok);
      return cosine(result.value, other.value);
    });
    return [
      {
        name,
        value: fight.ratio,
        goal,
        met: Math.abs(fight.ratio - 1) <= goalDifference,
        detail:
          `all-MiniLM-L6-v2, ${texts.length} texts of log-normal lengths, ${runtime.threads} threads; ratio ` +
          `${fight.ratioMin.toFixed(3)} to ${fight.ratioMax.toFixed(3)} by round; least cosine ${Math.min(...cosines).toFixed(5)}`,
      },
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}
