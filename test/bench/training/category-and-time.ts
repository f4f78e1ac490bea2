import { readFileSync } from "node:fs";
import {
  classifyByNeighbours,
  classReport,
  encodeValues,
  pairedBootstrap,
  Random,
  splitRows,
  spreadOf,
  trainEntityFromCoOccurrence,
  trainEntityFromTarget,
  trainTime2Vec,
  type VectorTable,
} from "@medley/training";
import { fitHead, predictAll } from "../logistic-head.ts";
import type { Measurement } from "../measurement.ts";
import { classifyNHotByLogistic, classifyNHotByNeighbours, nHot } from "../n-hot.ts";
import { readLines, sharedData } from "../shared-data.ts";

const seeds = [1, 2, 3];
const k = 15;
/** A coarser choice of the head's penalty than elsewhere: many heads are fitted. */
const search = { penalties: [3e-5, 1e-4, 3e-4, 1e-3], folds: 3 };
const goal = "the difference of accuracy above 0 with 95 % confidence";

/** What learned embeddings of categories and of moments are worth beside what they are made from, on held-out rows. */
export async function run(): Promise<Measurement[]> {
  return [await decadesOfCasts(), await loadsOfHours()];
}

interface Film {
  readonly id: string;
  readonly year: number;
  readonly cast: readonly string[];
}

const decades = 6;

/** The decade a film is of, from its cast alone: 12,000 American films, a fifth held out at random. */
async function decadesOfCasts(): Promise<Measurement> {
  const films = readLines<Film>("movies/movies.jsonl.gz").filter(({ cast }) => cast.length > 0);
  const rows = films.map(({ id }) => ({ id }));
  const shares = { train: 0.8, validation: 0, test: 0.2 };
  const split = splitRows(rows, { by: "random", shares, seed: 1 });
  // In random order: of equally near films the earlier one is taken, which must not say its year.
  const order = new Random(1).shuffle(Array.from(split.train));
  const [train, test] = [order, Array.from(split.test)].map((part) =>
    part.map((row) => films[row] as Film),
  ) as [Film[], Film[]];
  const labels = train.map(decadeOf);
  const truth = test.map(decadeOf);
  const common = { labels, classCount: decades };
  const hot = nHot(
    train.map(({ cast }) => cast),
    test.map(({ cast }) => cast),
  );
  const peers = {
    "n-hot, logistic": classifyNHotByLogistic({ known: hot.known, ...common }, hot.asked),
    "n-hot, nearest": classifyNHotByNeighbours({ known: hot.known, ...common, k }, hot.asked),
  };
  const values = (of: readonly Film[]) => of.map(({ cast }) => cast);
  const examples = train.map((film) => ({ value: film.cast, target: String(decadeOf(film)) }));
  const ours: Record<string, Int32Array[]> = {};
  for (const seed of seeds) {
    const options = { dimensions: 128, seed, name: "films.decade" };
    const learned = await trainEntityFromTarget(examples, options);
    const met = await trainEntityFromCoOccurrence(values(train), options);
    for (const [name, model] of Object.entries({ "from the target": learned, "from co-occurrence": met })) {
      const known = await encodeValues(model, values(train));
      const asked = await encodeValues(model, values(test));
      for (const [way, found] of Object.entries(classifyBoth({ known, ...common }, asked))) {
        ours[`${name}, ${way}`] = [...(ours[`${name}, ${way}`] ?? []), found];
      }
    }
  }
  return judged("category embeddings - n-hot, films' decade from their cast, accuracy", {
    ...{ truth, classCount: decades, peers, ours },
    chosen: { ours: "from the target, nearest", peer: "n-hot, logistic" },
    task: `${train.length} films, ${test.length} held out, 128 dimensions`,
  });
}

function decadeOf({ year }: Film): number {
  return Math.floor((year - 1970) / 10);
}

interface Hour {
  readonly timeMs: number;
  readonly load: number;
}

const loadColumn = 1;
const levels = 3;
const monthHours = 30 * 24;

/** A third of the load, of an electricity transformer, from the time alone: 16 months train, the 4 months after them are asked for. */
async function loadsOfHours(): Promise<Measurement> {
  const lines = readFileSync(sharedData("ett/ETTh1.csv"), "utf8").trim().split("\n").slice(1);
  const hours = lines.map((line): Hour => {
    const cells = line.split(",");
    return { timeMs: Date.parse(`${cells[0]?.replace(" ", "T")}Z`), load: Number(cells[loadColumn]) };
  });
  const [train, test] = [hours.slice(0, 16 * monthHours), hours.slice(16 * monthHours, 20 * monthHours)];
  const sorted = train.map(({ load }) => load).sort((a, b) => a - b);
  const bounds = [1, 2].map((third) => sorted[Math.floor((third * sorted.length) / levels)] as number);
  const levelOf = ({ load }: Hour) => bounds.filter((bound) => load >= bound).length;
  const [labels, truth] = [train.map(levelOf), test.map(levelOf)];
  const common = { labels, classCount: levels };
  const peers: Record<string, Int32Array> = {};
  for (const [name, features] of Object.entries({
    "the number": timeAlone,
    "raw calendar": calendar,
    "calendar in circles": circles,
  })) {
    const [known, asked] = standardised(train.map(features), test.map(features));
    for (const [way, found] of Object.entries(classifyBoth({ known, ...common }, asked))) {
      peers[`${name}, ${way}`] = found;
    }
  }
  const examples = train.map((hour) => ({ timeMs: hour.timeMs, target: String(levelOf(hour)) }));
  const ours: Record<string, Int32Array[]> = {};
  for (const seed of seeds) {
    const model = await trainTime2Vec(examples, { dimensions: 17, seed, name: "transformer.load" });
    const [known, asked] = [
      await encodeValues(
        model,
        train.map(({ timeMs }) => timeMs),
      ),
      await encodeValues(
        model,
        test.map(({ timeMs }) => timeMs),
      ),
    ];
    for (const [way, found] of Object.entries(classifyBoth({ known, ...common }, asked))) {
      ours[`Time2Vec, ${way}`] = [...(ours[`Time2Vec, ${way}`] ?? []), found];
    }
  }
  return judged("Time2Vec - raw features, third of ETTh1's load from the time, accuracy", {
    ...{ truth, classCount: levels, peers, ours },
    chosen: { ours: "Time2Vec, nearest", peer: "raw calendar, nearest" },
    task: `HUFL, ${train.length} hours, the ${test.length} after them held out, 17 dimensions`,
  });
}

const dayMs = 86_400_000;

function timeAlone({ timeMs }: Hour): number[] {
  return [timeMs / dayMs];
}

function calendar({ timeMs }: Hour): number[] {
  const date = new Date(timeMs);
  return [timeMs / dayMs, date.getUTCHours(), date.getUTCDay(), date.getUTCDate(), date.getUTCMonth()];
}

/** What one would make by hand who knows which periods there are. */
function circles({ timeMs }: Hour): number[] {
  const date = new Date(timeMs);
  return [date.getUTCHours() / 24, date.getUTCDay() / 7, date.getUTCMonth() / 12].flatMap((turn) => [
    Math.sin(2 * Math.PI * turn),
    Math.cos(2 * Math.PI * turn),
  ]);
}

/** Mean 0, deviation 1 over the known rows, and a constant, so that cosines of few features tell rows apart. */
function standardised(known: readonly number[][], asked: readonly number[][]): [VectorTable, VectorTable] {
  const columns = known[0]?.length as number;
  const scales = Array.from({ length: columns }, (_, column) =>
    spreadOf(known.map((row) => row[column] as number)),
  );
  const table = (rows: readonly number[][]): VectorTable => ({
    dimensions: columns + 1,
    values: Float32Array.from(
      rows.flatMap((row) => [
        ...row.map(
          (x, column) => (x - (scales[column]?.mean as number)) / (scales[column]?.deviation as number),
        ),
        1,
      ]),
    ),
  });
  return [table(known), table(asked)];
}

function classifyBoth(
  known: { readonly known: VectorTable; readonly labels: readonly number[]; readonly classCount: number },
  asked: VectorTable,
) {
  const { head } = fitHead({ vectors: known.known, ...known }, search);
  return { logistic: predictAll(head, asked), nearest: classifyByNeighbours({ ...known, k }, asked) };
}

interface Judged {
  readonly truth: readonly number[];
  readonly classCount: number;
  readonly peers: Readonly<Record<string, Int32Array>>;
  /** A prediction per seed. */
  readonly ours: Readonly<Record<string, readonly Int32Array[]>>;
  /** Which are compared; the others are printed. */
  readonly chosen: { readonly ours: string; readonly peer: string };
  readonly task: string;
}

function judged(name: string, { truth, classCount, peers, ours, chosen, task }: Judged): Measurement {
  const report = (found: Int32Array) => classReport(truth, found, { classCount });
  const right = (found: Int32Array) => truth.map((label, row) => (label === found[row] ? 1 : 0));
  const own = (ours[chosen.ours] as readonly Int32Array[]).map(right);
  const meanOfSeeds = truth.map(
    (_, row) => own.reduce((sum, of) => sum + (of[row] as number), 0) / own.length,
  );
  const interval = pairedBootstrap(meanOfSeeds, right(peers[chosen.peer] as Int32Array), { seed: 1 });
  const figures = [
    ...Object.entries(ours).map(([way, found]) => {
      const [accuracy, f1] = (["accuracy", "macroF1"] as const).map((of) =>
        spreadOf(found.map((one) => report(one)[of])),
      );
      return `${way} ${accuracy?.mean.toFixed(3)} ± ${accuracy?.deviation.toFixed(3)} / ${f1?.mean.toFixed(3)}`;
    }),
    ...Object.entries(peers).map(
      ([way, found]) => `${way} ${report(found).accuracy.toFixed(3)} / ${report(found).macroF1.toFixed(3)}`,
    ),
  ];
  return {
    name,
    value: interval.difference,
    goal,
    met: interval.isGain,
    detail:
      `${chosen.ours} less ${chosen.peer}, 95 % within ${interval.low.toFixed(3)} and ${interval.high.toFixed(3)} (paired bootstrap ` +
      `of the mean of ${seeds.length} seeds); ${task}; accuracy / macro-F1: ${figures.join("; ")}`,
  };
}
