import {
  type ArmReport,
  assignTask,
  type Contender,
  type Cost,
  classifyByNeighbours,
  type Decision,
  encodeValues,
  pairedBootstrap,
  Random,
  type Split,
  type TaskReport,
  type TrainedModel,
  trainEntityFromCoOccurrence,
  trainNode2Vec,
  type VectorTable,
} from "@medley/training";
import { shown, weightsMeasurement } from "../assignment-figures.ts";
import { type Cora, fused, readCora, selected, topicCount, wordTable } from "../cora.ts";
import type { Measurement } from "../measurement.ts";

/** Each draws other papers to choose by, and walks anew. */
const seeds = [1, 2, 3, 4, 5];

/** Whether the choice on validation records is the one that the test records, looked at once, confirm. */
export async function run(): Promise<Measurement[]> {
  const cora = readCora();
  const runs: Run[] = [];
  for (const seed of seeds) {
    const split = splitOf(cora, seed);
    const contenders = await contendersOf(cora, split, seed);
    const judged = (of: readonly Contender[]) => assignTask(of, { task: taskOf(cora), split }, { seed });
    const published = contenders.filter(({ candidate }) => candidate !== entity);
    runs.push({ split, contenders, all: judged(contenders), published: judged(published) });
  }
  const [first] = runs as [Run];
  return [
    choiceMeasurement(runs),
    fusionMeasurement(cora, runs),
    shuffledLabels(cora, first.contenders),
    equalWeights(runs.map(({ published }) => published)),
  ];
}

interface Run {
  readonly split: Split;
  readonly contenders: readonly Contender[];
  readonly all: TaskReport;
  /** Of the bag of words and the walks alone, as the published figures are. */
  readonly published: TaskReport;
}

const entity = "entity, dimensions 128";

/** The shared data's test papers; of the others a third chooses. */
function splitOf({ train, test }: Cora, seed: number): Split {
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

/** Words as they are and as trained categories; walks over all citations, since only topics are held out. */
async function contendersOf(cora: Cora, split: Split, seed: number): Promise<Contender[]> {
  const { papers, edges } = cora;
  const neighbours = new Map(papers.map(({ id }) => [id, {} as Record<string, number>]));
  for (const { from, to } of edges) {
    (neighbours.get(from) as Record<string, number>)[to] = 1;
    (neighbours.get(to) as Record<string, number>)[from] = 1;
  }
  const names = papers.map(({ words }) => words.map((word) => `w${word}`));
  const trainNames = Array.from(split.train, (row) => names[row] as string[]);
  const bag = wordTable(cora);
  return [
    {
      ...{ space: "words", candidate: "category", readTable: () => bag },
      cost: {
        millisecondsPerRecord: 0,
        bytesPerRecord: 2 * bag.dimensions,
        modelBytes: 0,
        trainingSeconds: 0,
      },
    },
    await trainedContender({ space: "words", candidate: entity }, names, () =>
      trainEntityFromCoOccurrence(trainNames, { dimensions: 128, seed }),
    ),
    await trainedContender(
      { space: "walks", candidate: "node2vec, dimensions 128" },
      papers.map(({ id }) => ({ id, edges: neighbours.get(id) })),
      () => trainNode2Vec(edges, { dimensions: 128, seed }),
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
  return { ...name, readTable: () => table, cost };
}

/** What is chosen in each space and of both together. */
function choiceMeasurement(runs: readonly Run[]): Measurement {
  const decisions = runs.flatMap(({ all: { spaces, fusions } }) => [
    ...spaces.map(({ decision }) => decision),
    fusions as Decision,
  ]);
  const confirmed = decisions.filter(({ test }) => test.isConfirmed).length;
  return {
    name: "assignment, Cora: choices that the test papers confirm",
    value: confirmed / decisions.length,
    goal: "all",
    met: confirmed === decisions.length,
    detail: `of words, of walks and of both together, seeds ${seeds.join(", ")}: ${runs
      .map(({ all: { spaces, fusions } }) => {
        const each = spaces.map(({ decision }) => decisionText(decision));
        return [...each, decisionText(fusions as Decision)].join("; ");
      })
      .join(" | ")}`,
  };
}

function fusionMeasurement(cora: Cora, runs: readonly Run[]): Measurement {
  const pair = meanOfRuns(runs.map((one) => testScores(cora, one, ({ parts }) => parts.length === 2)));
  const alone = ["words", "walks"].map((name) => {
    const isAlone = ({ parts }: ArmReport) => parts.length === 1 && parts[0]?.space === name;
    const scores = meanOfRuns(runs.map((one) => testScores(cora, one, isAlone)));
    // Better than both is claimed only where each interval says so: no widening for there being two (an intersection-union test).
    return { name, accuracy: meanOf(scores), gain: pairedBootstrap(pair, scores, { seed: 1 }) };
  });
  const decisions = runs.map(({ published }) => published.fusions as Decision);
  const isPair = ({ arms }: Decision, at: number) => arms[at]?.parts.length === 2;
  const best = decisions.filter((decision) => isPair(decision, decision.best)).length;
  const chosen = decisions.filter((decision) => isPair(decision, decision.chosen)).length;
  const { train, validation, test } = (runs[0] as Run).published.rows;
  const gains = alone.map(
    ({ name, accuracy, gain: { difference, low, high } }) =>
      `${name} alone ${shown(accuracy)}, behind by ${shown(difference)} (${shown(low)} to ${shown(high)})`,
  );
  return {
    name: "assignment, Cora: accuracy of the bag of words and walks together, on the test papers",
    value: meanOf(pair),
    goal: "better than each alone by an interval above 0, and the best on validation with every seed",
    met: alone.every(({ gain }) => gain.isGain) && best === runs.length,
    detail:
      `${train} papers to train on (walks over all citations), ${validation} to choose by, ${test} to confirm by; seeds ${seeds.join(", ")}, scores ` +
      `averaged per paper: ${gains.join("; ")}; best on validation with ${best} of ${runs.length} seeds, chosen with ${chosen} (else walks, which are ` +
      `cheaper and not known to be worse): ${decisions.map(decisionText).join("; ")}; published .852 together, .822 and .738 alone`,
  };
}

function decisionText({ arms, chosen, verdict, test }: Decision): string {
  const each = arms.map(
    (arm) =>
      `${namesOf(arm)} ${shown(arm.validation.mean)} (behind ${shown(arm.behind.low)} to ${shown(arm.behind.high)})`,
  );
  return `${each.join(", ")}: ${verdict} ${namesOf(arms[chosen])}, test ${shown(test.chosen.mean)}`;
}

/** 1 for each test paper that the arm tells right, with the settings that validation gave it. */
function testScores(
  { papers }: Cora,
  { split, contenders, published }: Run,
  isWanted: (arm: ArmReport) => boolean,
): Float64Array {
  const { arms } = published.fusions as Decision;
  const { parts, neighbours } = arms.find(isWanted) as ArmReport;
  const tables = parts.map(({ space, candidate, weight }) => {
    const made = contenders.find((one) => one.space === space && one.candidate === candidate) as Contender;
    return { table: made.readTable(), weight: Math.sqrt(weight) };
  });
  const table = fused(tables);
  const topics = (rows: Int32Array) => Array.from(rows, (row) => papers[row]?.topic as number);
  const known = selected(table, [...split.train]);
  const vote = { known, labels: topics(split.train), classCount: topicCount, k: neighbours };
  const told = classifyByNeighbours(vote, selected(table, [...split.test]));
  return Float64Array.from(topics(split.test), (topic, at) => (topic === told[at] ? 1 : 0));
}

function meanOfRuns(scores: readonly Float64Array[]): Float64Array {
  return Float64Array.from(scores[0] as Float64Array, (_, at) =>
    scores.reduce((sum, one) => sum + (one[at] as number) / scores.length, 0),
  );
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Words and walks tell about equally much by cosine: nothing to learn. */
function equalWeights(reports: readonly TaskReport[]): Measurement {
  const { value, detail } = weightsMeasurement("Cora", reports);
  return {
    name: "learned weights, Cora, where equal ones are as good: runs in which they are used",
    value,
    goal: "none",
    met: value === 0,
    detail,
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
    const few = contenders.map((contender) => {
      const table = selected(contender.readTable(), rows);
      return { ...contender, readTable: () => table };
    });
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
