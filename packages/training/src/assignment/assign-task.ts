import type { Split } from "../data/parts.ts";
import { type BootstrapInterval, pairedBootstrap } from "../evaluation/bootstrap.ts";
import {
  type Arm,
  answersOf,
  type Contender,
  CosineTables,
  evenArm,
  type JudgedArm,
  judgeArm,
  labelsOf,
  pairArm,
  scoresOf,
  singleArm,
  testArm,
} from "./arm.ts";
import { type Choice, cheapestAsGood, rowsToDecide, type Verdict } from "./choose.ts";
import { type Behind, behindBest, bestOf, meanOf } from "./compare-arms.ts";
import type { Cost } from "./cost.ts";
import { type Answers, permutationValues } from "./evidence.ts";
import { type LearnedWeights, learnWeights } from "./fusion-weights.ts";
import { type Task, type TaskData, taskDataOf } from "./task-data.ts";

export interface AssignOptions {
  readonly seed: number;
  /** How much worse, in scores, counts as just as good. Default .05. */
  readonly margin?: number;
}

/** A mean score with its 95 % interval. */
export interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export interface ArmReport {
  readonly parts: readonly { readonly space: string; readonly candidate: string; readonly weight: number }[];
  readonly neighbours: number;
  readonly cost: Cost;
  readonly validation: Estimate;
  /** Behind the best of those it is compared with. */
  readonly behind: Behind;
  /** Of a single contender: the chance of such a score by accident, over all of them. Null of fusions. */
  readonly permutationValue: number | null;
  /** Whether it does better than the baseline, and not by accident. Null of fusions. */
  readonly tells: boolean | null;
}

/** The one look at the test rows. */
export interface TestLook {
  readonly chosen: Estimate;
  readonly best: Estimate;
  /** The best on validation less the chosen. */
  readonly difference: BootstrapInterval;
  /** The chosen less the baseline. */
  readonly gain: BootstrapInterval;
  /** What validation said holds: the chosen beats the baseline, and the best is not better than it by more than the margin. */
  readonly isConfirmed: boolean;
}

/** What is chosen among arms; numbers are places in `arms`. */
export interface Decision extends Choice {
  readonly arms: readonly ArmReport[];
  /** Where it is undecided: about how many labelled records, or judged queries, would tell. */
  readonly recordsToDecide: number | null;
  readonly test: TestLook;
}

export interface SpaceDecision {
  readonly space: string;
  /** `no_evidence`: nothing that this space was encoded by tells more of the label than the baseline. */
  readonly verdict: Verdict | "no_evidence";
  readonly decision: Decision;
}

export interface TaskReport {
  readonly task: string;
  readonly kind: Task["kind"];
  readonly rows: { readonly train: number; readonly validation: number; readonly test: number };
  readonly baseline: number;
  /** Whether anything tells more than the baseline; if not, nothing is chosen. */
  readonly hasEvidence: boolean;
  readonly spaces: readonly SpaceDecision[];
  /** Single spaces, pairs, all, and all but one, of what was chosen in each. Null where only one space takes part. */
  readonly fusions: Decision | null;
  /** Of what was chosen in each space. Null where only one takes part, or there is no evidence. */
  readonly weights: LearnedWeights | null;
  /** That its queries are of, by name; not all have so many that weights are learned for them. */
  readonly classes: readonly string[];
}

const marginDefault = 0.05;
const level = 0.05;
const intervalResamples = 2_000;
/** Pairs are tried of the spaces that do best alone. */
const pairedSpacesMax = 6;

/**
 * One protocol for all contenders of a task: a record's label is told by its neighbours. Contenders must have been trained on `split.train`
 * alone. The number of neighbours and the weights of pairs are tuned inside the validation rows, by folds; the choice is made on
 * validation rows; test rows are looked at once, by the chosen and the best.
 */
export function assignTask(
  contenders: readonly Contender[],
  { task, split }: { readonly task: Task; readonly split: Split },
  options: AssignOptions,
): TaskReport {
  const { seed } = options;
  const data = taskDataOf(task, split, seed);
  const judging = new Judging(data, {
    ...options,
    spaces: new Set(contenders.map(({ space }) => space)).size,
  });
  const alone = contenders.map(singleArm);
  const answers = alone.map((arm) => judging.answers(arm));
  const singles = alone.map((arm, at) => judging.judge(arm, answers[at]));
  const truth = labelsOf(data.labels, data.rows.validation);
  const values = permutationValues(answers, { truth, folds: data.folds, seed });
  const told = new Map(singles.map((arm, at) => [arm, judging.evidenceOf(arm, values[at] as number)]));
  const spaces = [...Map.groupBy(singles, (arm) => arm.contenders[0]?.space as string)].map(
    ([space, arms]) => {
      const decision = judging.decide(arms, told);
      const tells = arms.some((arm) => told.get(arm)?.tells);
      return { space, arms, decision, verdict: tells ? decision.verdict : ("no_evidence" as const) };
    },
  );
  const chosen = spaces.map(({ arms, decision }) => arms[decision.chosen] as JudgedArm);
  const { train, validation, test } = data.rows;
  const hasEvidence = spaces.some(({ verdict }) => verdict !== "no_evidence");
  return {
    task: task.name,
    kind: task.kind,
    rows: { train: train.length, validation: validation.length, test: test.length },
    baseline: meanOf(judging.baseline(validation)),
    hasEvidence,
    spaces: spaces.map(({ space, verdict, decision }) => ({ space, verdict, decision })),
    fusions: chosen.length < 2 ? null : judging.decide(judging.fusionsOf(chosen), told),
    weights: hasEvidence && chosen.length > 1 ? judging.weigh(chosen) : null,
    classes: classesOf(data),
  };
}

function classesOf({ rows: { validation, test }, classOf }: TaskData): readonly string[] {
  const named = [...validation, ...test].map(classOf).filter((name) => name !== null);
  return [...new Set(named)].sort();
}

interface Told {
  readonly permutationValue: number;
  readonly tells: boolean;
}

/** What all comparisons of one task share. */
class Judging {
  readonly #data: TaskData;
  readonly #options: AssignOptions & { readonly margin: number };
  readonly #validation: CosineTables;
  readonly #test: CosineTables;

  constructor(data: TaskData, { spaces, ...options }: AssignOptions & { readonly spaces: number }) {
    const { rows } = data;
    this.#data = data;
    this.#options = { margin: marginDefault, ...options };
    this.#validation = new CosineTables({ known: rows.train, queries: rows.validation }, spaces);
    this.#test = new CosineTables({ known: rows.train, queries: rows.test }, spaces);
  }

  answers(arm: Arm): Answers {
    return answersOf(arm, this.#validation, this.#data);
  }

  judge(arm: Arm, answers = this.answers(arm)): JudgedArm {
    return judgeArm(arm, answers, this.#data);
  }

  /** The scores of whoever knows no record. */
  baseline(rows: Int32Array): Float64Array {
    const { judge, labels } = this.#data;
    return scoresOf(judge.baseline, labelsOf(labels, rows));
  }

  evidenceOf({ fitted }: JudgedArm, permutationValue: number): Told {
    const gain = this.#interval(fitted.scores, this.baseline(this.#data.rows.validation));
    return { permutationValue, tells: permutationValue <= level && gain.isGain };
  }

  /** Singles, pairs, all, and all but one. */
  fusionsOf(singles: readonly JudgedArm[]): readonly JudgedArm[] {
    const contenders = singles.map((arm) => arm.contenders[0] as Contender);
    const bySkill = [...singles.keys()].sort((a, b) => this.#mean(singles[b]) - this.#mean(singles[a]));
    const paired = bySkill.slice(0, pairedSpacesMax).sort((a, b) => a - b);
    const pairs = paired.flatMap((first, at) =>
      paired
        .slice(at + 1)
        .map((second) => pairArm(contenders[first] as Contender, contenders[second] as Contender)),
    );
    const isMany = contenders.length > 2;
    const withouts = contenders.map((_, without) => evenArm(contenders.filter((_, at) => at !== without)));
    const wholes = isMany ? [evenArm(contenders), ...(contenders.length > 3 ? withouts : [])] : [];
    return [...singles, ...[...pairs, ...wholes].map((arm) => this.judge(arm))];
  }

  weigh(singles: readonly JudgedArm[]): LearnedWeights {
    const even = this.judge(evenArm(singles.map((arm) => arm.contenders[0] as Contender)));
    const { seed } = this.#options;
    return learnWeights(even, { data: this.#data, validation: this.#validation, test: this.#test, seed });
  }

  decide(arms: readonly JudgedArm[], told: ReadonlyMap<JudgedArm, Told>): Decision {
    const { seed, margin } = this.#options;
    const scores = arms.map(({ fitted }) => fitted.scores);
    const behind = behindBest(scores, { seed });
    const reports = arms.map((arm, at) => this.#report(arm, behind[at] as Behind, told.get(arm)));
    const choice = cheapestAsGood(reports, { best: bestOf(scores), margin });
    const lead = behind[choice.chosen] as Behind;
    const { length } = this.#data.rows.validation;
    return {
      ...choice,
      arms: reports,
      recordsToDecide:
        choice.verdict === "undecided"
          ? Math.ceil((rowsToDecide(length, lead, margin) * this.#data.labelled) / length)
          : null,
      test: this.#look(arms[choice.chosen] as JudgedArm, arms[choice.best] as JudgedArm),
    };
  }

  #look(chosen: JudgedArm, best: JudgedArm): TestLook {
    const own = testArm(chosen, this.#test, this.#data);
    const other = testArm(best, this.#test, this.#data);
    const difference = this.#interval(other, own);
    const gain = this.#interval(own, this.baseline(this.#data.rows.test));
    const isAsGood = difference.difference <= this.#options.margin || !difference.isGain;
    return {
      chosen: this.#estimate(own),
      best: this.#estimate(other),
      difference,
      gain,
      isConfirmed: gain.isGain && isAsGood,
    };
  }

  #report(arm: JudgedArm, behind: Behind, told: Told | undefined): ArmReport {
    const { contenders, weights, neighbours, cost, fitted } = arm;
    return {
      parts: contenders.map(({ space, candidate }, at) => ({
        space,
        candidate,
        weight: weights[at] as number,
      })),
      neighbours,
      cost,
      validation: this.#estimate(fitted.scores),
      behind,
      permutationValue: told?.permutationValue ?? null,
      tells: told?.tells ?? null,
    };
  }

  #estimate(scores: Float64Array): Estimate {
    const { difference, low, high } = this.#interval(scores, new Float64Array(scores.length));
    return { mean: difference, low, high };
  }

  #interval(a: Float64Array, b: Float64Array): BootstrapInterval {
    return pairedBootstrap(a, b, { seed: this.#options.seed, resamples: intervalResamples });
  }

  #mean(arm: JudgedArm | undefined): number {
    return arm === undefined ? 0 : meanOf(arm.fitted.scores);
  }
}
