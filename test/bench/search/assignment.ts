import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  assignTask,
  type Contender,
  type Cost,
  type Decision,
  encodeValues,
  Random,
  type Split,
  type TaskReport,
  type TrainedModel,
  trainEntityFromCoOccurrence,
  trainNode2Vec,
  type VectorTable,
} from "@medley/training";
import { type Cora, readCora, selected, wordTable } from "../cora.ts";
import { films } from "../films.ts";
import type { Measurement } from "../measurement.ts";
import { readLines } from "../shared-data.ts";

const seed = 1;
const command = new URL("../../../packages/medley/bin/medley.js", import.meta.url).pathname;

/** Whether the choice on validation records is the one that the test records, looked at once, confirm. */
export async function run(): Promise<Measurement[]> {
  const cora = readCora();
  const split = splitOf(cora);
  const contenders = await contendersOf(cora, split);
  const report = assignTask(contenders, { task: taskOf(cora), split }, { seed });
  const filmTasks = assignedFilms();
  return [
    coraMeasurement(report),
    shuffledLabels(cora, contenders),
    confirmedShare("films", filmTasks),
    learnedWeights([report, ...filmTasks]),
    reviews(),
  ];
}

/** The shared data's test papers; of the others a third chooses. */
function splitOf({ train, test }: Cora): Split {
  const shuffled = new Random(seed).shuffle([...train]);
  const validation = Math.round(shuffled.length / 3);
  const sorted = (rows: readonly number[]) => Int32Array.from(rows).sort();
  return {
    train: sorted(shuffled.slice(validation)),
    validation: sorted(shuffled.slice(0, validation)),
    test: sorted(test),
  };
}

function taskOf({ papers }: Cora) {
  return {
    name: "topic",
    kind: "classification",
    values: papers.map(({ topic }) => `topic ${topic}`),
  } as const;
}

/** Words as they are and as trained categories; walks over the citations of training papers alone. */
async function contendersOf(cora: Cora, split: Split): Promise<Contender[]> {
  const { papers, edges } = cora;
  const isTrained = new Set(Array.from(split.train, (row) => papers[row]?.id));
  const neighbours = new Map(papers.map(({ id }) => [id, {} as Record<string, number>]));
  for (const { from, to } of edges) {
    (neighbours.get(from) as Record<string, number>)[to] = 1;
    (neighbours.get(to) as Record<string, number>)[from] = 1;
  }
  const known = edges.filter(({ from, to }) => isTrained.has(from) || isTrained.has(to));
  const names = papers.map(({ words }) => words.map((word) => `w${word}`));
  const trainNames = Array.from(split.train, (row) => names[row] as string[]);
  const bag = wordTable(cora);
  return [
    {
      ...{ space: "words", candidate: "category", table: bag },
      cost: {
        millisecondsPerRecord: 0,
        bytesPerRecord: 2 * bag.dimensions,
        modelBytes: 0,
        trainingSeconds: 0,
      },
    },
    await trainedContender({ space: "words", candidate: "entity, dimensions 128" }, names, () =>
      trainEntityFromCoOccurrence(trainNames, { dimensions: 128, seed }),
    ),
    await trainedContender(
      { space: "walks", candidate: "node2vec, dimensions 128" },
      papers.map(({ id }) => ({ id, edges: neighbours.get(id) })),
      () => trainNode2Vec(known, { dimensions: 128, seed }),
    ),
  ];
}

async function trainedContender(
  name: Pick<Contender, "space" | "candidate">,
  values: readonly unknown[],
  train: () => Promise<TrainedModel>,
): Promise<Contender> {
  const startedMs = performance.now();
  const model = await train();
  const trainedMs = performance.now();
  const table: VectorTable = await encodeValues(model, values);
  const cost: Cost = {
    millisecondsPerRecord: (performance.now() - trainedMs) / values.length,
    bytesPerRecord: 2 * table.dimensions,
    modelBytes: [...model.files.values()].reduce((sum, { length }) => sum + length, 0),
    trainingSeconds: (trainedMs - startedMs) / 1000,
  };
  return { ...name, table, cost };
}

function coraMeasurement({ spaces, fusions, rows }: TaskReport): Measurement {
  const { arms, chosen, best, test, verdict } = fusions as Decision;
  const isPair = arms[chosen]?.parts.length === 2;
  const alone = arms.filter(({ parts }) => parts.length === 1);
  return {
    name: "assignment, Cora: accuracy of what is chosen, on the test papers",
    value: test.chosen.mean,
    goal: "words and walks together are chosen, and confirmed",
    met: isPair && chosen === best && test.isConfirmed,
    detail:
      `${rows.train} papers to train on (walks over their citations alone), ${rows.validation} to choose by, ${rows.test} to confirm ` +
      `by; chosen: ${namesOf(arms[chosen])} (${verdict}), on validation ${shown(arms[chosen]?.validation.mean)}, alone ` +
      `${alone.map((arm) => `${namesOf(arm)} ${shown(arm.validation.mean)}, behind by ${shown(arm.behind.low)} to ${shown(arm.behind.high)}`).join("; ")}; ` +
      `per space ${spaces.map((space) => `${space.space}: ${namesOf(space.decision.arms[space.decision.chosen])} (${space.verdict})`).join(", ")}`,
  };
}

function namesOf(arm: Decision["arms"][number] | undefined): string {
  return (arm?.parts ?? []).map(({ candidate, weight }) => `${weight} x ${candidate}`).join(" + ");
}

function shown(value: number | undefined): string {
  return (value ?? Number.NaN).toFixed(3);
}

/** 40 small collections whose labels say nothing. */
function shuffledLabels(cora: Cora, contenders: readonly Contender[]): Measurement {
  const [runs, size] = [40, 200];
  let found = 0;
  for (let draw = 1; draw <= runs; draw += 1) {
    const random = new Random(draw);
    const rows = random.shuffle([...cora.papers.keys()]).slice(0, size);
    const values = random.shuffle(rows.map((row) => `topic ${cora.papers[row]?.topic}`));
    const part = (from: number, to: number) => Int32Array.from({ length: to - from }, (_, at) => from + at);
    const split = { train: part(0, 100), validation: part(100, 150), test: part(150, size) };
    const few = contenders.map((contender) => ({ ...contender, table: selected(contender.table, rows) }));
    const task = { name: "topic", kind: "classification", values } as const;
    if (assignTask(few, { task, split }, { seed: draw }).hasEvidence) found += 1;
  }
  return {
    name: "assignment, shuffled labels: runs that find evidence",
    value: found / runs,
    goal: "at most .05",
    met: found / runs <= 0.05,
    detail: `${found} of ${runs} runs on ${size} papers of Cora each, with labels shuffled among them; ${contenders.length} candidates`,
  };
}

/** `medley assign` as anyone would type it, in a folder of its own. */
function assigned(config: object, records: readonly object[]): readonly TaskReport[] {
  const folder = mkdtempSync(join(tmpdir(), "medley-assign-"));
  try {
    writeFileSync(join(folder, "medley.config.json"), JSON.stringify(config));
    writeFileSync(join(folder, "records.jsonl"), records.map((record) => JSON.stringify(record)).join("\n"));
    const args = [command, "--json", "assign", "--plan", "--from", "records.jsonl"];
    const answer = execFileSync(process.execPath, args, {
      cwd: folder,
      encoding: "utf8",
      maxBuffer: 2 ** 26,
    });
    return (JSON.parse(answer) as { data: { tasks: readonly TaskReport[] } }).data.tasks;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function confirmedShare(name: string, tasks: readonly TaskReport[]): Measurement {
  const decided = tasks.flatMap(({ task, spaces }) =>
    spaces
      .filter(({ verdict }) => verdict === "best" || verdict === "as_good")
      .map((space) => ({ task, ...space })),
  );
  const confirmed = decided.filter(({ decision }) => decision.test.isConfirmed);
  const value = decided.length === 0 ? 0 : confirmed.length / decided.length;
  return {
    name: `assignment, ${name}: choices that the test records confirm`,
    value,
    goal: "all, at least one",
    met: value === 1,
    detail: tasks
      .flatMap(({ task, spaces }) =>
        spaces.map(({ space, verdict, decision: { arms, chosen, test } }) => {
          const figures = arms.map((arm) => `${arm.parts[0]?.candidate} ${shown(arm.validation.mean)}`);
          return `${task} by ${space}: ${verdict}, ${arms[chosen]?.parts[0]?.candidate} (${figures.join(", ")}; test ${shown(test.chosen.mean)})`;
        }),
      )
      .join("; "),
  };
}

function assignedFilms(): readonly TaskReport[] {
  const text = { encoder: "text", field: "plot" };
  const config = {
    collections: {
      films: {
        unknownKeys: "ignore",
        fields: { plot: "text", cast: "categories", players: "edges", genre: "category", decade: "category" },
        spaces: {
          plot: { candidates: [text, { encoder: "words", field: "plot", dimensions: 128 }] },
          cast: {
            candidates: [
              { encoder: "entity", field: "cast", dimensions: 64 },
              { encoder: "node2vec", field: "players", dimensions: 64 },
            ],
          },
        },
        tasks: {
          genre: { kind: "classification", label: "genre" },
          decade: { kind: "classification", label: "decade" },
        },
      },
    },
  };
  const records = films(2_500).map((film) => ({
    ...film,
    ...{ players: film.cast, genre: film.genres[0] ?? null, decade: `${Math.floor(film.year / 10)}0s` },
  }));
  return assigned(config, records);
}

/** Weights learned for a task, where they beat equal ones on records that they were not learned from. */
function learnedWeights(tasks: readonly TaskReport[]): Measurement {
  const learned = tasks.flatMap(({ task, weights }) => (weights === null ? [] : [{ task, ...weights }]));
  const used = learned.filter(({ isUsed }) => isUsed);
  return {
    name: "learned weights: tasks in which they take the place of equal ones",
    value: used.length,
    goal: "at least 2",
    met: used.length >= 2,
    detail: learned
      .map(({ task, weights, validation, test, isUsed }) => {
        const each = weights.map(({ space, weight }) => `${space} ${weight.toFixed(2)}`).join(", ");
        const gains = [validation, test].map(
          ({ difference, low, high }) => `${shown(difference)} (${shown(low)} to ${shown(high)})`,
        );
        return `${task}: ${each}, ${isUsed ? "used" : "refused"}; gain ${gains[0]} on validation, ${gains[1]} on test records`;
      })
      .join("; "),
  };
}

/** Reviews take long: a pre-trained model reads 7,000 of them, and is fine-tuned. */
function reviews(): Measurement {
  if (process.env.MEDLEY_BENCH_REVIEWS !== "1") {
    return {
      name: "assignment, IMDB: choices that the test records confirm",
      value: null,
      goal: "all, at least one",
      met: null,
      detail: "takes an hour or more: runs with MEDLEY_BENCH_REVIEWS=1",
    };
  }
  const reviewsOf = (path: string) =>
    readLines<{ text: string; label: string }>(path).map((review, at) => ({
      ...review,
      id: `${path} ${at}`,
    }));
  const records = [...reviewsOf("imdb/train.jsonl.gz"), ...reviewsOf("imdb/test.jsonl.gz")];
  const text = { encoder: "text", field: "text" };
  const config = {
    collections: {
      reviews: {
        unknownKeys: "ignore",
        fields: { text: "text", label: "category" },
        spaces: {
          text: {
            candidates: [
              text,
              { encoder: "words", field: "text", dimensions: 256 },
              { ...text, tuned: { target: "label" } },
            ],
          },
        },
        tasks: { sentiment: { kind: "classification", label: "label" } },
      },
    },
  };
  return confirmedShare("IMDB", assigned(config, records));
}
