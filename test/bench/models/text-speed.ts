import { availableParallelism } from "node:os";
import type { Encoder } from "@medley/core";
import { openModelRuntime } from "@medley/models";
import { defaultModelDirectory, type LengthMix, lengthMixes } from "../length-mixes.ts";
import type { Measurement } from "../measurement.ts";
import { Rival, type RivalLibrary } from "../rivals/rival.ts";
import { contest, described, trialOf, trialsOf } from "../text-contest.ts";

const model = "all-MiniLM-L6-v2";
const rounds = 3;
/** Of texts for a trial of a setting. */
const trialTextsCount = 16;
/** So many of the settings that did best in a trial run in every round, and the fastest of them counts. */
const finalistsCount = 2;
interface Goal {
  readonly library: RivalLibrary;
  readonly mix: LengthMix;
  readonly ratioMin: number;
  /** Below this the sides did not do the same work. */
  readonly cosineMin: number;
  /** What the rival may choose from; 0 is the library's default. */
  readonly batchSizes: readonly number[];
  readonly threads: readonly number[];
  /** For the name: how the rival was set. */
  readonly setting: string;
  readonly remark?: string;
}

/**
 * Our text encoder against other libraries with the same weights on the same cores, texts in random order, for three
 * mixes of lengths.
 */
export async function run(): Promise<Measurement[]> {
  await using runtime = openModelRuntime({ environment: {} });
  const encoder = await runtime.textEncoder(model);
  const measurements: Measurement[] = [];
  for (const [library, group] of Map.groupBy(goals(), (goal) => goal.library)) {
    await using stack = new AsyncDisposableStack();
    const rivals: Rival[] = [];
    try {
      for (const threads of new Set(group.flatMap((goal) => goal.threads))) {
        rivals.push(stack.use(await Rival.start(library, defaultModelDirectory, threads)));
      }
    } catch (error) {
      const detail = `not run: ${(error as Error).message}`;
      measurements.push(...group.map((goal) => ({ ...headOf(goal), value: null, met: null, detail })));
      continue;
    }
    for (const goal of group) measurements.push(await measure(encoder, rivals, goal));
  }
  return measurements;
}

function headOf({ library, setting, mix, ratioMin }: Goal): { name: string; goal: string } {
  return {
    name: `text encoder / ${library} ${setting}, ${mix.name}`,
    goal: `at least ${ratioMin}`,
  };
}

function goals(): Goal[] {
  const { uniform, natural, short } = lengthMixes();
  const cores = availableParallelism();
  const best = {
    cosineMin: 0.9999,
    batchSizes: [1, 8, 32],
    threads: [...new Set([1, cores])],
    setting: "at its best",
  };
  const inPython = (library: RivalLibrary): Goal[] =>
    [uniform, natural, short].map((mix) => ({ library, mix, ratioMin: 1, ...best }));
  return [
    { library: "transformers.js", mix: natural, ratioMin: 1.15, ...best },
    { library: "transformers.js", mix: uniform, ratioMin: 1, ...best },
    { library: "transformers.js", mix: short, ratioMin: 1, ...best },
    {
      library: "transformers.js",
      mix: natural,
      ratioMin: 3.5,
      ...best,
      batchSizes: [32],
      threads: [0],
      setting: "at batch 32",
    },
    {
      library: "fastembed (npm)",
      mix: { ...natural, texts: natural.texts.slice(0, 48) },
      ratioMin: 6,
      cosineMin: -1,
      batchSizes: [0],
      threads: [0],
      setting: "as it comes",
      remark:
        "it pools by the first token and pads every text to the limit, so only the number of vectors is compared",
    },
    ...inPython("fastembed (Python)"),
    ...inPython("sentence-transformers"),
  ];
}

async function measure(
  encoder: Encoder<string, string>,
  all: readonly Rival[],
  goal: Goal,
): Promise<Measurement> {
  const { library, mix, ratioMin, cosineMin, batchSizes, remark } = goal;
  const rivals = all.filter(({ threads }) => goal.threads.includes(threads));
  const settings = batchSizes.length * rivals.length;
  const trials =
    settings === 1
      ? [{ rival: rivals[0] as Rival, batchTexts: batchSizes[0] as number, textsPerSecond: Number.NaN }]
      : await trialsOf(rivals, batchSizes, mix.texts.slice(0, trialTextsCount));
  const finalists = trials.slice(0, finalistsCount);
  const fight = await contest(encoder, finalists, mix.texts, { rounds, cosineMin });
  const details = [
    `${mix.texts.length} texts, ${availableParallelism()} cores: ${described(mix.texts.length, fight, library)}`,
    ...(settings === 1 ? [] : [`each round in the faster of: ${finalists.map(trialOf).join("; ")}`]),
    ...(trials.length > finalistsCount
      ? [`its other settings: ${trials.slice(finalistsCount).map(trialOf).join("; ")}`]
      : []),
    remark ?? `least cosine between the sides ${fight.cosine.toFixed(6)}`,
    ...(fight.ratio < ratioMin ? ["LOST"] : []),
  ];
  return {
    ...headOf(goal),
    value: fight.ratio,
    met: fight.ratio >= ratioMin,
    detail: details.join(". "),
  };
}
