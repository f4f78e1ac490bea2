import { execFile } from "node:child_process";
import { promisify } from "node:util";
import {
  type Adjacency,
  adjacencyOf,
  embedNodes,
  encodeValues,
  type Node2VecOptions,
  spreadOf,
  trainNode2Vec,
  type VectorTable,
} from "@medley/training";
import { bestWeight, type Cora, fused, heldOutReport, readCora, shown, wordTable } from "../cora.ts";
import { type Measurement, median } from "../measurement.ts";
import { sharedData } from "../shared-data.ts";

const seeds = [1, 2, 3, 4, 5];
const dimensions = 128;
const wordWeights = [0.5, 0.75, 1, 1.25, 1.5];
/** What word2vec does by default, for its speed: the same work as gensim's. */
const asGensim = {
  ...({ tied: false, negatives: 5, negativesBy: "degree", window: 10 } as const),
  ...{ walksPerNode: 10, walkLength: 20, p: 1, q: 1 },
};
const gensimEpochs = 2;

/** Topics of papers from who cites whom alone, and with their words; speed beside gensim's. */
export async function run(): Promise<Measurement[]> {
  const cora = readCora();
  const runs = [];
  for (const seed of seeds) {
    const before = cpuSeconds();
    const model = await trainNode2Vec(cora.edges, { dimensions, seed });
    const seconds = cpuSeconds() - before;
    const nodes = await encodeValues(
      model,
      cora.papers.map(({ id }) => ({ id, edges: {} })),
    );
    runs.push({ seconds, nodes, report: heldOutReport(cora, nodes) });
  }
  return [
    qualityOf(runs.map(({ report }) => report)),
    withWords(
      cora,
      runs.map(({ nodes }) => nodes),
    ),
    ...(await besideGensim(cora, median(runs.map(({ seconds }) => seconds)), runs)),
  ];
}

interface Scores {
  readonly accuracy: number;
  readonly macroF1: number;
}

function qualityOf(reports: readonly Scores[]): Measurement {
  const [accuracy, macroF1] = spreads(reports);
  return {
    name: "Node2Vec, Cora, accuracy",
    value: accuracy.mean,
    goal: "at least .812, macro-F1 at least .790",
    met: accuracy.mean >= 0.812 && macroF1.mean >= 0.79,
    detail:
      `677 held-out papers by their 15 nearest of 2,031, cosine; ${dimensions} dimensions, settings chosen by leave-one-out on ` +
      `the latter; ${seeds.length} seeds: accuracy ${shown(accuracy)}, macro-F1 ${shown(macroF1)}; published .822/.803 (one run)`,
  };
}

function withWords(cora: Cora, tables: readonly VectorTable[]): Measurement {
  const words = wordTable(cora);
  const weight = bestWeight(cora, tables[0] as VectorTable, words, wordWeights);
  const reports = tables.map((table) =>
    heldOutReport(
      cora,
      fused([
        { table, weight: 1 },
        { table: words, weight },
      ]),
    ),
  );
  const [accuracy, macroF1] = spreads(reports);
  return {
    name: "Node2Vec and words, Cora, accuracy",
    value: accuracy.mean,
    goal: "at least .842, macro-F1 at least .824",
    met: accuracy.mean >= 0.842 && macroF1.mean >= 0.824,
    detail:
      `the same with the bag of words beside it, of weight ${weight} (leave-one-out on the training papers, first seed); accuracy ` +
      `${shown(accuracy)}, macro-F1 ${shown(macroF1)}; words alone ${heldOutReport(cora, words).accuracy.toFixed(4)}; published ` +
      ".852/.831",
  };
}

function spreads(reports: readonly Scores[]) {
  const accuracy = spreadOf(reports.map((report) => report.accuracy));
  return [accuracy, spreadOf(reports.map((report) => report.macroF1))] as const;
}

interface GensimAnswer {
  readonly walkSeconds: number;
  readonly trainSeconds: number;
  readonly ids: readonly string[];
  readonly vectors: readonly (readonly number[])[];
}

async function besideGensim(
  cora: Cora,
  seconds: number,
  ours: readonly { readonly report: Scores }[],
): Promise<Measurement[]> {
  const names = [
    "Node2Vec, whole job, times gensim's speed",
    "skip-gram, pairs a second, times gensim's",
  ] as const;
  const goals = ["at least 1.2", "at least 0.8"] as const;
  const python = process.env.MEDLEY_BENCH_PYTHON;
  if (python === undefined) {
    const detail = "MEDLEY_BENCH_PYTHON names no Python; what it needs is in test/bench/rivals/node2vec.py";
    return names.map((name, at) => ({ name, value: null, goal: goals[at] as string, met: null, detail }));
  }
  const graph = await adjacencyOf(cora.edges);
  const own = [];
  const answers = [];
  for (const seed of seeds.slice(0, 3)) {
    answers.push(await askGensim(python, seed));
    own.push(await trainOnce(graph, { ...asGensim, dimensions, seed }));
  }
  const theirs = answers.map((answer) => heldOutReport(cora, tableOf(cora, answer)));
  const [accuracy] = spreads(theirs);
  const whole = median(answers.map(({ walkSeconds, trainSeconds }) => walkSeconds + trainSeconds));
  const pairs = median(own.map((one) => one.pairs));
  const ownRate = pairs / median(own.map((one) => one.seconds));
  const rate = (gensimEpochs * pairs) / median(answers.map(({ trainSeconds }) => trainSeconds));
  const [wholeRatio, rateRatio] = [whole / seconds, ownRate / rate];
  const [ownAccuracy] = spreads(ours.map(({ report }) => report));
  return [
    {
      ...{ name: names[0], value: wholeRatio, goal: goals[0] },
      met: wholeRatio >= 1.2 && ownAccuracy.mean >= accuracy.mean - 0.005,
      detail:
        `CPU seconds of one thread, medians: ${seconds.toFixed(2)} for an accuracy of ${shown(ownAccuracy)}, reading the edges ` +
        `and writing the artefact among them; gensim 4.4 (10 walks of 20, ${gensimEpochs} epochs, 5 negatives, rate .05) with ` +
        `walks in Python ${whole.toFixed(2)} for ${shown(accuracy)}`,
    },
    {
      ...{ name: names[1], value: rateRatio, goal: goals[1] },
      met: rateRatio >= 0.8,
      detail:
        `two tables, 5 negatives by frequency to the .75, ${dimensions} dimensions, window 10, one thread: ` +
        `${(ownRate / 1e6).toFixed(2)} million pairs a CPU second (with our walks), gensim ${(rate / 1e6).toFixed(2)} (with its vocabulary)`,
    },
  ];
}

async function trainOnce(graph: Adjacency, options: Node2VecOptions) {
  const before = cpuSeconds();
  const { pairs } = await embedNodes(graph, options);
  return { pairs, seconds: cpuSeconds() - before };
}

async function askGensim(python: string, seed: number): Promise<GensimAnswer> {
  const program = new URL("../rivals/node2vec.py", import.meta.url).pathname;
  const { walksPerNode, walkLength, window, negatives } = asGensim;
  const settings = [walksPerNode, walkLength, dimensions, window, negatives, gensimEpochs, 0.05];
  const { stdout } = await promisify(execFile)(
    python,
    [program, sharedData("cora/citations.csv"), seed, ...settings].map(String),
    { maxBuffer: 2 ** 26, env: { ...process.env, OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" } },
  );
  return JSON.parse(stdout) as GensimAnswer;
}

function tableOf({ papers }: Cora, { ids, vectors }: GensimAnswer): VectorTable {
  const places = new Map(ids.map((id, at) => [id, at]));
  const rows = papers.map(({ id }) => vectors[places.get(id) as number] as readonly number[]);
  return { values: Float32Array.from(rows.flat()), dimensions };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
