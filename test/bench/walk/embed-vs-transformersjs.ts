import { strict as assert } from "node:assert";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { type OpenModel, openModelRuntime } from "@medley/models";
import { films } from "../films.ts";
import type { Measurement } from "../measurement.ts";
import { Rival } from "../rivals/rival.ts";
import { contest, described, trialOf, trialsOf } from "../text-contest.ts";

const textsCount = 128;
const trialTextsCount = 32;
const rounds = 5;
const goalRatio = 1.15;
const cosineMin = 0.9999;
const batchSizes = [1, 8, 32];
/** So many of the settings that did best in a trial run in every round, and the fastest of them counts. */
const finalistsCount = 2;

const name = "text encoder / transformers.js";
const goal = `at least ${goalRatio}`;

/** Our encoder against transformers.js at its best: the same file, texts as they come, all cores for either. */
export async function run(): Promise<Measurement[]> {
  const cores = availableParallelism();
  await using runtime = openModelRuntime({ threads: cores, environment: {} });
  const open = await runtime.textModel("all-MiniLM-L6-v2");
  const encoder = await runtime.textEncoder("all-MiniLM-L6-v2");
  assert(open.model.kind === "text");
  const { tokensMax, tokenizer } = open.model;
  const modelDirectory = dirname(tokenizer.path);
  const picked = films(textsCount);
  const plots = await whole(
    open,
    tokensMax,
    picked.map(({ plot }) => plot),
  );
  await using stack = new AsyncDisposableStack();
  const rivals: Rival[] = [];
  try {
    // The library's own number of threads, one, and all cores; each in its own process.
    for (const threads of new Set([0, 1, cores])) {
      rivals.push(stack.use(await Rival.start("transformers.js", modelDirectory, threads)));
    }
  } catch (error) {
    const detail = `transformers.js could not be run: ${(error as Error).message}`;
    return [{ name, value: null, goal, met: null, detail }];
  }
  const trials = await trialsOf(rivals, batchSizes, plots.slice(0, trialTextsCount));
  const finalists = trials.slice(0, finalistsCount);
  const fight = await contest(encoder, finalists, plots, { rounds, cosineMin });
  const titles = picked.map(({ title }) => title);
  const short = await contest(encoder, finalists, titles, { rounds, cosineMin });
  return [
    {
      name,
      value: fight.ratio,
      goal,
      met: fight.ratio >= goalRatio,
      detail: [
        `${plots.length} film plots, ${cores} cores: ${described(plots.length, fight, "transformers.js")}`,
        `transformers.js each round in the faster of: ${finalists.map(trialOf).join("; ")}`,
        `its other settings: ${trials.slice(finalistsCount).map(trialOf).join("; ")}`,
        `${titles.length} film titles: ${described(titles.length, short, "transformers.js")}`,
        `least cosine between the sides ${fight.cosine.toFixed(6)}`,
      ].join(". "),
    },
  ];
}

/** Texts within the model's limit: of a longer one transformers.js also cuts off the closing [SEP]. */
async function whole(open: OpenModel, tokensMax: number, texts: readonly string[]): Promise<string[]> {
  const { lengths } = await open.prepare(texts);
  return texts.filter((_, index) => (lengths[index] as number) < tokensMax);
}
