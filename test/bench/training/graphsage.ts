import { execFile } from "node:child_process";
import { promisify } from "node:util";
import {
  classifyByNeighbours,
  classReport,
  encodeValues,
  type GraphSageOptions,
  Random,
  type SageNode,
  spreadOf,
  trainGraphSage,
  trainNode2Vec,
  trainWords,
  type VectorTable,
} from "@medley/training";
import {
  type Cora,
  fused,
  heldOutReport,
  readCora,
  selected,
  shown,
  topicCount,
  topicsOf,
  wordCount,
  wordTable,
} from "../cora.ts";
import { type Measurement, median } from "../measurement.ts";

const seeds = [1, 2, 3];
const dimensions = 64;
/** Without topics: by leave-one-out on the training papers. */
const alone = { dimensions: 128, hidden: 256 };
const segmentDimensions = 256;
const node2vecDimensions = 128;
const weights = [0.25, 0.5, 0.75];
const target = "papers.topic";
/** What `trainGraphSage` does by default: the sizes that PyTorch is given. */
const sizes = { batchRows: 256, fanout: 10, hidden: 128 };

/** Topics of papers from their words and who cites whom: with topics of the training papers, without any, and fused. */
export async function run(): Promise<Measurement[]> {
  const cora = readCora();
  const words = wordTable(cora);
  const known = nodesOf(cora, words, cora.train);
  const unknown = nodesOf(cora, await wordSegments(cora), []);
  const runs = [];
  for (const seed of seeds) {
    const supervised = await train(known, { dimensions, seed, target });
    // Beside each other, as a machine that others use is not as fast all the time.
    const pytorch = await pytorchEpoch(cora, cora.train.length);
    const unsupervised = await train(unknown, { ...alone, seed });
    const walks = await trainNode2Vec(cora.edges, { dimensions: node2vecDimensions, seed });
    const places = await encodeValues(
      walks,
      cora.papers.map(({ id }) => ({ id, edges: {} })),
    );
    runs.push({ supervised, unsupervised, places, pytorch });
  }
  const parts = await weightsOfParts(cora, words, (runs[0] as (typeof runs)[0]).places);
  return [
    quality(
      cora,
      runs.map(({ supervised }) => supervised),
      {
        name: "GraphSAGE with topics, Cora, accuracy",
        bar: [0.87, 0.85],
        what: `${dimensions} dimensions of the bag of words, trained on the topics of the 2,031 training papers`,
      },
    ),
    quality(
      cora,
      runs.map(({ unsupervised }) => unsupervised),
      {
        name: "GraphSAGE without topics, Cora, accuracy",
        bar: [0.825, 0.803],
        what:
          `${alone.dimensions} dimensions of a words space of ${segmentDimensions}, trained on walks alone, settings chosen by leave-one-out ` +
          "on the training papers; published .844/.820",
      },
    ),
    fusion(cora, words, runs, parts),
    besidePyTorch(runs),
  ];
}

interface Trained {
  readonly table: VectorTable;
  readonly seconds: number;
  /** CPU seconds of each epoch. */
  readonly epochSeconds: readonly number[];
}

async function train(
  nodes: readonly SageNode[],
  options: Pick<GraphSageOptions, "dimensions" | "hidden" | "seed" | "target">,
): Promise<Trained> {
  const start = cpuSeconds();
  const ends: number[] = [];
  const model = await trainGraphSage(nodes, {
    ...options,
    threads: 1,
    onProgress: ({ done, total }) => {
      if (done === total) ends.push(cpuSeconds());
    },
  });
  const seconds = cpuSeconds() - start;
  const epochSeconds = ends.slice(1).map((end, at) => end - (ends[at] as number));
  return { table: await encodeValues(model, nodes), seconds, epochSeconds };
}

/** The segments of a words space, which knows the words of all papers and no topic. */
async function wordSegments({ papers }: Cora): Promise<VectorTable> {
  const texts = papers.map(({ words }) => words.map((word) => `w${word}`).join(" "));
  const model = await trainWords(texts, { dimensions: segmentDimensions, seed: 1, ngrams: [1, 1] });
  return encodeValues(model, texts);
}

/** Nodes as records give them; only papers of `labelled` with their topic. */
function nodesOf({ papers, edges }: Cora, words: VectorTable, labelled: readonly number[]): SageNode[] {
  const targets = new Map<string, Record<string, number>>();
  for (const { from, to } of edges) targets.set(from, { ...targets.get(from), [to]: 1 });
  const known = new Set(labelled);
  return papers.map(({ id, topic }, row) => ({
    id,
    edges: targets.get(id) ?? {},
    features: selected(words, [row]).values,
    label: known.has(row) ? String(topic) : null,
  }));
}

function quality(
  cora: Cora,
  runs: readonly Trained[],
  { name, bar, what }: { name: string; bar: readonly [number, number]; what: string },
): Measurement {
  const reports = runs.map(({ table }) => heldOutReport(cora, table));
  const accuracy = spreadOf(reports.map((report) => report.accuracy));
  const macroF1 = spreadOf(reports.map((report) => report.macroF1));
  return {
    name,
    value: accuracy.mean,
    goal: `at least ${bar[0]}, macro-F1 at least ${bar[1]}`,
    met: accuracy.mean >= bar[0] && macroF1.mean >= bar[1],
    detail:
      `677 held-out papers by their 15 nearest of 2,031, cosine; ${what}; ${seeds.length} seeds: accuracy ` +
      `${shown(accuracy)}, macro-F1 ${shown(macroF1)}; ${median(runs.map(({ seconds }) => seconds)).toFixed(1)} CPU seconds`,
  };
}

interface Parts {
  readonly places: number;
  readonly words: number;
}

/** A fifth of the training papers decides how much Node2Vec and words weigh beside a GraphSAGE that has not seen their topics. */
async function weightsOfParts(cora: Cora, words: VectorTable, places: VectorTable): Promise<Parts> {
  const order = new Random(1).shuffle([...cora.train]);
  const held = order.slice(0, Math.floor(order.length / 5));
  const rest = order.slice(held.length);
  const { table } = await train(nodesOf(cora, words, rest), { dimensions, seed: 1, target });
  const choices = weights.flatMap((of) => weights.map((ofWords) => ({ places: of, words: ofWords })));
  const scores = choices.map((parts) => {
    const all = together(table, places, words, parts);
    const vote = { known: selected(all, rest), labels: topicsOf(cora, rest), classCount: topicCount };
    const predicted = classifyByNeighbours(vote, selected(all, held));
    return classReport(topicsOf(cora, held), predicted, { classCount: topicCount }).accuracy;
  });
  return choices[scores.indexOf(Math.max(...scores))] as Parts;
}

function together(sage: VectorTable, places: VectorTable, words: VectorTable, parts: Parts): VectorTable {
  return fused([
    { table: sage, weight: 1 },
    { table: places, weight: parts.places },
    { table: words, weight: parts.words },
  ]);
}

function fusion(
  cora: Cora,
  words: VectorTable,
  runs: readonly { readonly supervised: Trained; readonly places: VectorTable }[],
  parts: Parts,
): Measurement {
  const accuracyOf = (tables: readonly VectorTable[]) =>
    spreadOf(tables.map((table) => heldOutReport(cora, table).accuracy));
  const all = accuracyOf(
    runs.map(({ supervised, places }) => together(supervised.table, places, words, parts)),
  );
  const sage = accuracyOf(runs.map(({ supervised }) => supervised.table));
  const places = accuracyOf(runs.map((one) => one.places));
  const best = Math.max(sage.mean, places.mean, heldOutReport(cora, words).accuracy);
  return {
    name: "GraphSAGE, Node2Vec and words fused, Cora, accuracy",
    value: all.mean,
    goal: `at least the best single one, ${best.toFixed(4)}`,
    met: all.mean >= best,
    detail:
      `weights 1, ${parts.places} and ${parts.words}, chosen on a fifth of the training papers; ${seeds.length} seeds: ${shown(all)}; ` +
      `GraphSAGE with topics ${shown(sage)}, Node2Vec ${shown(places)}, words ${heldOutReport(cora, words).accuracy.toFixed(4)}`,
  };
}

function besidePyTorch(
  runs: readonly { readonly supervised: Trained; readonly pytorch: PyTorchEpoch | null }[],
): Measurement {
  const [name, goal] = ["GraphSAGE, an epoch, times PyTorch's speed", "at least 0.7"];
  const theirs = runs.flatMap(({ pytorch }) => (pytorch === null ? [] : [pytorch]));
  if (theirs.length < runs.length) {
    const detail = "MEDLEY_BENCH_PYTHON names no Python; what it needs is in test/bench/rivals/graphsage.py";
    return { name, value: null, goal, met: null, detail };
  }
  const own = runs.map(({ supervised }) => median(supervised.epochSeconds));
  const ratios = runs.map((_, at) => (theirs[at] as PyTorchEpoch).seconds / (own[at] as number));
  const ratio = median(ratios);
  return {
    ...{ name, value: ratio, goal, met: ratio >= 0.7 },
    detail:
      `${sizes.batchRows} papers with ${sizes.fanout} neighbours each a step, ${sizes.hidden} hidden, CPU seconds on one thread, ` +
      `medians of ${runs.length} pairs of runs: ${median(own).toFixed(2)}; PyTorch 2.15 ${median(theirs.map(({ seconds }) => seconds)).toFixed(2)}, ` +
      `both with drawing neighbours and filling tensors; ${median(theirs.map(({ stepSeconds }) => stepSeconds)).toFixed(2)} of PyTorch's are its ` +
      `steps alone; each pair ${ratios.map((one) => one.toFixed(2)).join(", ")}`,
  };
}

/** CPU seconds of an epoch; `stepSeconds`: of one whose batches are there before. */
interface PyTorchEpoch {
  readonly seconds: number;
  readonly stepSeconds: number;
}

/** Null where no Python is named. */
async function pytorchEpoch({ papers, edges }: Cora, labelled: number): Promise<PyTorchEpoch | null> {
  const python = process.env.MEDLEY_BENCH_PYTHON;
  if (python === undefined) return null;
  const { batchRows, fanout, hidden } = sizes;
  const steps = Math.ceil(labelled / batchRows);
  const program = new URL("../rivals/graphsage.py", import.meta.url).pathname;
  const graph = [papers.length, edges.length];
  const asked = [program, steps, batchRows, fanout, ...graph, wordCount, hidden, dimensions, topicCount];
  const { stdout } = await promisify(execFile)(python, asked.map(String));
  return JSON.parse(stdout) as PyTorchEpoch;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
