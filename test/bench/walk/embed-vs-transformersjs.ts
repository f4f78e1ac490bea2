import { strict as assert } from "node:assert";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import type { Encoder } from "@medley/core";
import { type OpenModel, openModelRuntime } from "@medley/models";
import { type Duel, duel, secondsOf } from "../duel.ts";
import { films } from "../films.ts";
import type { Measurement } from "../measurement.ts";
import type { TransformersJsAnswer, TransformersJsRequest } from "../rivals/transformersjs.ts";

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

interface Trial {
  readonly rival: Rival;
  readonly batchTexts: number;
  readonly textsPerSecond: number;
}

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
      rivals.push(stack.use(await Rival.start(modelDirectory, threads)));
    }
  } catch (error) {
    const detail = `transformers.js could not be run: ${(error as Error).message}`;
    return [{ name, value: null, goal, met: null, detail }];
  }
  const trials = await trialsOf(rivals, plots.slice(0, trialTextsCount));
  const finalists = trials.slice(0, finalistsCount);
  const fight = await fightOf(encoder, finalists, plots);
  const titles = picked.map(({ title }) => title);
  const short = await fightOf(encoder, finalists, titles);
  return [
    {
      name,
      value: fight.ratio,
      goal,
      met: fight.ratio >= goalRatio,
      detail: [
        `${plots.length} film plots, ${cores} cores: ${described(plots.length, fight)}`,
        `transformers.js each round in the faster of: ${finalists.map(trialOf).join("; ")}`,
        `its other settings: ${trials.slice(finalistsCount).map(trialOf).join("; ")}`,
        `${titles.length} film titles: ${described(titles.length, short)}`,
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

/** Every batch size with every number of threads; the fastest first. */
async function trialsOf(rivals: readonly Rival[], texts: readonly string[]): Promise<Trial[]> {
  const trials: Trial[] = [];
  for (const rival of rivals) {
    for (const batchTexts of batchSizes) {
      await rival.encode(texts.slice(0, batchTexts), batchTexts);
      const { seconds } = await rival.encode(texts, batchTexts);
      trials.push({ rival, batchTexts, textsPerSecond: texts.length / seconds });
    }
  }
  return trials.sort((a, b) => b.textsPerSecond - a.textsPerSecond);
}

async function fightOf(
  encoder: Encoder<string, string>,
  finalists: readonly Trial[],
  texts: readonly string[],
): Promise<Duel & { cosine: number }> {
  const ours = () => secondsOf(() => encoder.encode(texts));
  const theirs = async () => {
    const seconds: number[] = [];
    for (const { rival, batchTexts } of finalists)
      seconds.push((await rival.encode(texts, batchTexts)).seconds);
    return Math.min(...seconds);
  };
  const fight = await duel(rounds, ours, theirs);
  const results = await encoder.encode(texts);
  const { rival, batchTexts } = finalists[0] as Trial;
  const { vectors } = await rival.encode(texts, batchTexts);
  const cosine = Math.min(
    ...results.map((result, index) => {
      assert(result.ok);
      return (vectors[index] as number[]).reduce((sum, x, d) => sum + x * (result.value[d] as number), 0);
    }),
  );
  assert(cosine >= cosineMin, `the two sides' vectors differ: cosine ${cosine}`);
  return { ...fight, cosine };
}

function described(texts: number, { oursSeconds, theirsSeconds, ratio, ratioMin, ratioMax }: Duel): string {
  const perSecond = (seconds: number) => (texts / seconds).toFixed(1);
  return (
    `ours ${perSecond(oursSeconds)}, transformers.js ${perSecond(theirsSeconds)} texts/s, ` +
    `ratio ${ratio.toFixed(2)} (${ratioMin.toFixed(2)} to ${ratioMax.toFixed(2)} over ${rounds} rounds)`
  );
}

function trialOf({ rival, batchTexts, textsPerSecond }: Trial): string {
  const threads = rival.threads === 0 ? "default" : rival.threads;
  return `batch ${batchTexts}, threads ${threads}: ${textsPerSecond.toFixed(1)} texts/s in the trial`;
}

/** transformers.js in a process of its own. */
class Rival implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** Threads inside its session; 0: the library's own default. */
  readonly threads: number;

  private constructor(child: ChildProcess, threads: number) {
    this.#child = child;
    this.threads = threads;
  }

  /** Rejects where the library or the model can't be loaded. */
  static async start(modelDirectory: string, threads: number): Promise<Rival> {
    const program = new URL("../rivals/transformersjs.ts", import.meta.url);
    const start = [modelDirectory, String(threads)];
    const rival = new Rival(fork(program, start, { serialization: "advanced", execArgv: [] }), threads);
    await rival.#message();
    return rival;
  }

  async encode(texts: readonly string[], batchTexts: number): Promise<TransformersJsAnswer> {
    const answer = this.#message();
    this.#child.send({ texts, batchTexts } satisfies TransformersJsRequest);
    return (await answer) as TransformersJsAnswer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill();
    await once(this.#child, "exit");
  }

  #message(): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const exited = (code: number | null) => reject(new Error(`its process ended with code ${code}`));
    this.#child.once("exit", exited);
    this.#child.once("message", (message) => {
      this.#child.off("exit", exited);
      resolve(message);
    });
    return promise;
  }
}
