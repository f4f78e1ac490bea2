import type { Value } from "./value.ts";

/** Mean of squares of differences, a scalar. */
export function meanSquaredError(predicted: Value, actual: Value): Value {
  return predicted.sub(actual).square().mean();
}

/**
 * Mean over rows of -Σ target log softmax(logits); both [rows, classes]. A target row sums to 1, or to the weight of its class;
 * of all zeros it does not count, save in the mean's divisor.
 */
export function crossEntropy(logits: Value, targets: Value): Value {
  return logits.logSoftmax().mul(targets).sum([-1]).mean().neg();
}
