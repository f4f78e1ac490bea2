import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { MedleyError } from "@medley/core";
import type { TrainingProgress } from "../progress.ts";
import { type Trial, TrialList } from "./trial-list.ts";

export interface HalvingOptions<Candidate> {
  /** At least one; anything JSON can write. */
  readonly candidates: readonly Candidate[];
  /** Of the first rung, and of the last, in whole units: epochs, rows. */
  readonly budgetMin: number;
  readonly budgetMax: number;
  /** One of so many goes on to the next rung, which has so many times the budget. Default 3. */
  readonly reduction?: number;
  /** All candidates are trained with the same, so that luck does not choose. */
  readonly seed: number;
  /**
   * Trains a candidate for a budget and scores it on validation rows, higher being better (minus a loss). It may begin anew, or go
   * on from what the same candidate had at the rung before. `training_diverged` is the end of the candidate, not of the search.
   */
  readonly evaluate: (candidate: Candidate, trial: TrialStart) => Promise<number>;
  /** Where trials are written to, and read from to go on after a kill. */
  readonly trialsPath?: string;
  /** Of everything else that scores follow from: data, split, code. Default: nothing else. */
  readonly identity?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
}

export interface TrialStart {
  readonly budget: number;
  /** Of the same candidate's trial one rung before; 0 on the first one. */
  readonly budgetBefore: number;
  readonly candidate: number;
  readonly seed: number;
  readonly signal: AbortSignal | undefined;
}

export interface HalvingResult<Candidate> {
  /** The best on the highest rung that has trials; null where the signal came before there was one. */
  readonly best: { readonly candidate: Candidate; readonly score: number; readonly budget: number } | null;
  readonly trials: readonly Trial[];
  readonly isComplete: boolean;
}

/** One rung: so many candidates, trained for so long. */
export interface Rung {
  readonly candidates: number;
  readonly budget: number;
}

/**
 * Finds good settings in little time: all candidates are trained briefly, the best third of them three times as long, and so on
 * (Jamieson and Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization, 2016; one bracket of Li et al.,
 * Hyperband, 2018). Of equal scores the earlier candidate goes on. Trials run one after another; those in `trialsPath` are not run again.
 * At the signal the trial in hand ends and does not count. Throws `training_diverged` where every candidate did, `run_damaged` and
 * `data_not_writable` of the list, and what else `evaluate` throws.
 */
export async function successiveHalving<Candidate>(
  options: HalvingOptions<Candidate>,
): Promise<HalvingResult<Candidate>> {
  const { candidates, signal, trialsPath } = options;
  const rungs = rungsOf(candidates.length, options);
  const list = await TrialList.open(trialsPath ?? null, identityOf(options));
  const total = rungs.reduce((sum, rung) => sum + rung.candidates, 0);
  let survivors = candidates.map((_, candidate) => candidate);
  let ranked: readonly Trial[] = [];
  let [done, budgetBefore] = [0, 0];
  for (const rung of rungs) {
    survivors = survivors.slice(0, rung.candidates);
    const trials: Trial[] = [];
    for (const candidate of survivors) {
      const start = { candidate, budget: rung.budget, budgetBefore, seed: options.seed, signal };
      const trial = list.find(candidate, rung.budget) ?? (await runTrial(options, list, start));
      if (trial === null) return resultOf(options, list, { ranked: rank(trials, ranked), isComplete: false });
      trials.push(trial);
      done += 1;
      options.onProgress?.({ stage: `search, budget ${rung.budget}`, done, total, unit: "trials" });
    }
    ranked = rank(trials, ranked);
    survivors = ranked.map(({ candidate }) => candidate);
    budgetBefore = rung.budget;
  }
  if (ranked.length === 0) {
    throw new MedleyError("training_diverged", `all ${candidates.length} candidates diverged`, {
      mend: "search among lower learning rates, or look for values in the data that are out of all proportion",
    });
  }
  return resultOf(options, list, { ranked, isComplete: true });
}

/** The rungs of so many candidates, the budget rising to exactly `budgetMax`, the number falling to 1 at the least. */
export function rungsOf(
  count: number,
  {
    budgetMin,
    budgetMax,
    reduction = 3,
  }: { readonly budgetMin: number; readonly budgetMax: number; readonly reduction?: number },
): readonly Rung[] {
  assert(count > 0, "a candidate");
  assert(Number.isSafeInteger(budgetMin) && Number.isSafeInteger(budgetMax), "whole budgets");
  assert(budgetMin > 0 && budgetMin <= budgetMax, "budgets above 0");
  assert(reduction >= 2, "a reduction that makes each rung's budget another one");
  const rungs: Rung[] = [];
  for (let factor = 1; ; factor *= reduction) {
    const isLast = budgetMin * factor >= budgetMax;
    const budget = isLast ? budgetMax : Math.round(budgetMin * factor);
    rungs.push({ candidates: Math.max(1, Math.floor(count / factor)), budget });
    if (isLast) return rungs;
  }
}

/** Null at the signal. */
async function runTrial<Candidate>(
  { candidates, evaluate }: HalvingOptions<Candidate>,
  list: TrialList,
  start: TrialStart,
): Promise<Trial | null> {
  if (start.signal?.aborted) return null;
  let score: number | null;
  try {
    score = await evaluate(candidates[start.candidate] as Candidate, start);
  } catch (error) {
    // What the signal cut short may end in any way.
    if (start.signal?.aborted) return null;
    if (!(error instanceof MedleyError) || error.code !== "training_diverged") throw error;
    score = null;
  }
  if (start.signal?.aborted) return null;
  if (!Number.isFinite(score)) score = null;
  const trial = { candidate: start.candidate, budget: start.budget, score };
  await list.add(trial);
  return trial;
}

/** Those with a score, the best first; those of the rung before where this one has none. */
function rank(trials: readonly Trial[], before: readonly Trial[]): readonly Trial[] {
  const scored = trials.filter(({ score }) => score !== null);
  if (scored.length === 0) return before;
  return scored.sort((a, b) => (b.score as number) - (a.score as number) || a.candidate - b.candidate);
}

function resultOf<Candidate>(
  { candidates }: HalvingOptions<Candidate>,
  list: TrialList,
  { ranked, isComplete }: { readonly ranked: readonly Trial[]; readonly isComplete: boolean },
): HalvingResult<Candidate> {
  const [first] = ranked;
  const best = first && {
    candidate: candidates[first.candidate] as Candidate,
    score: first.score as number,
    budget: first.budget,
  };
  return { best: best ?? null, trials: list.trials, isComplete };
}

function identityOf<Candidate>(options: HalvingOptions<Candidate>): string {
  const { candidates, budgetMin, budgetMax, reduction = 3, seed, identity = "" } = options;
  const all = JSON.stringify({ candidates, budgetMin, budgetMax, reduction, seed, identity });
  return createHash("sha256").update(all).digest("hex");
}
