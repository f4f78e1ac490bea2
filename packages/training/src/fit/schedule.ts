import { strict as assert } from "node:assert";

/** Where a training is when it takes a step. */
export interface Position {
  /** From 0. */
  readonly epoch: number;
  /** From 0, over all epochs. */
  readonly step: number;
  readonly stepsPerEpoch: number;
  readonly epochsMax: number;
}

/** The learning rate of a step: of where it is alone, so that a resumed training has the same. */
export type Schedule = (position: Position) => number;

/** The same for every step. */
export function constantRate(rate: number): Schedule {
  return () => checked(rate);
}

/** Half as much in each further epoch, as in the code of Autoformer and Informer. */
export function halvedEachEpoch(rate: number): Schedule {
  return ({ epoch }) => checked(rate) / 2 ** epoch;
}

/** Falls along half a cosine to `rateMin` at the end of the last epoch (Loshchilov and Hutter, SGDR, 2017, without restarts). */
export function cosineRate(rate: number, { rateMin = 0 }: { readonly rateMin?: number } = {}): Schedule {
  return ({ step, stepsPerEpoch, epochsMax }) => {
    const share = Math.min(1, step / (stepsPerEpoch * epochsMax));
    return rateMin + ((checked(rate) - rateMin) * (1 + Math.cos(Math.PI * share))) / 2;
  };
}

/** Falls in a straight line to 0 at the end of the last epoch, as BERT is tuned. */
export function linearRate(rate: number): Schedule {
  return ({ step, stepsPerEpoch, epochsMax }) =>
    checked(rate) * Math.max(0, 1 - step / (stepsPerEpoch * epochsMax));
}

/**
 * Rises in a straight line over the first `warmUpSteps` steps to what `then` gives, the first step having 1/warmUpSteps
 * of it.
 */
export function withWarmUp(warmUpSteps: number, then: Schedule): Schedule {
  assert(Number.isSafeInteger(warmUpSteps) && warmUpSteps >= 0, "a number of steps");
  return (position) => then(position) * Math.min(1, (position.step + 1) / warmUpSteps || 1);
}

function checked(rate: number): number {
  assert(Number.isFinite(rate) && rate > 0, "a learning rate above 0");
  return rate;
}
