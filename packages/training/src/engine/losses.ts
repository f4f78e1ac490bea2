import type { Value } from "./value.ts";

/** Mean of squares of differences, a scalar. */
export function meanSquaredError(predicted: Value, actual: Value): Value {
  return predicted.sub(actual).square().mean();
}

/** Mean of absolute differences, a scalar. */
export function meanAbsoluteError(predicted: Value, actual: Value): Value {
  return predicted.sub(actual).abs().mean();
}

/**
 * Mean over rows of -Σ target log softmax(logits); both [rows, classes]. A target row sums to 1, or to the weight of its class;
 * of all zeros it does not count, save in the mean's divisor.
 */
export function crossEntropy(logits: Value, targets: Value): Value {
  return logits.logSoftmax().mul(targets).sum([-1]).mean().neg();
}

/** Mean of the logistic loss of logits against targets of 0 to 1, both of one shape; no overflow for large logits. */
export function binaryCrossEntropy(logits: Value, targets: Value): Value {
  return logits.softplus().sub(logits.mul(targets)).mean();
}
