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
import { shown, weightsMeasurement } from "../assignment-figures.ts";
import { type Cora, readCora, selected, wordTable } from "../cora.ts";
import type { Measurement } from "../measurement.ts";

const seed = 1;

/** Whether the choice on validation records is the one that the test records, looked at once, confirm. */
export async function run(): Promise<Measurement[]> {
  const cora = readCora();
  const split = splitOf(cora);
  const contenders = await contendersOf(cora, split);
  const report = assignTask(contenders, { task: taskOf(cora), split }, { seed });
  return [coraMeasurement(report), shuffledLabels(cora, contenders), weightsMeasurement("Cora", [report])];
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
