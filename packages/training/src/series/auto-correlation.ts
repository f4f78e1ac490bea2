import { concat, linear, type Value } from "../engine/index.ts";

/**
 * Auto-correlation (Wu, Xu, Wang & Long, Autoformer, NeurIPS 2021, section 3.2): what series at a delay resemble is found over
 * whole periods, not single steps, and the values are rolled to the `factor` ln(m) delays that resemble most, weighted by the
 * softmax of how much. queries [batch, m, width], memory [batch, n, width] to [batch, m, width]; a shorter memory is followed by
 * zeros, a longer one is cut.
 *
 * The paper sums over heads and channels before it chooses delays, so heads make no difference and there are none. In training
 * the delays are those of the batch's mean, as published; served, each window has its own.
 */
export function autoCorrelation(
  name: string,
  queries: Value,
  memory: Value,
  { factor }: { factor: number },
): Value {
  const [steps, width] = [queries.size(1), queries.size(2)];
  return queries.graph.scoped(name, () => {
    const q = linear("query", queries, width);
    const [k, v] = [fitTo(linear("key", memory, width), steps), fitTo(linear("value", memory, width), steps)];
    const correlations = correlationsOf(q, k);
    const count = Math.min(steps, Math.max(1, Math.floor(factor * Math.log(steps))));
    const weights = delayWeights(correlations, count);
    return linear("output", rolled(weights, v), width);
  });
}

/**
 * R(delay) of every delay, the sum over steps and mean over channels of q(t + delay mod m) k(t): what the published code computes
 * by FFT (Wiener and Khinchin), here as sums along the circular diagonals of q k'. The paper writes a mean over steps, whose softmax
 * hardly tells delays apart. Both [batch, m, width] to [batch, m].
 */
export function correlationsOf(q: Value, k: Value): Value {
  const [batch, steps, width] = [q.size(0), q.size(1), q.size(2)];
  const products = k.matmul(q.transposed());
  // Twice beside itself, row s begins at s (2 m); read in rows of 2 m + 1, column `delay` of row s is k(s) q(s + delay mod m).
  const doubled = concat([products, products], 2).reshape([batch, 2 * steps * steps]);
  const padded = concat([doubled, doubled.slice(1, 0, steps)], 1);
  const skewed = padded.reshape([batch, steps, 2 * steps + 1]).slice(2, 0, steps);
  return skewed.sum([1]).mul(1 / width);
}

/** The softmax of the correlations over the `count` delays of the highest ones, 0 elsewhere: [batch, m] to the same. */
export function delayWeights(correlations: Value, count: number): Value {
  const { graph } = correlations;
  const ranked = graph.trains ? correlations.mean([0], { keepsAxes: true }) : correlations;
  const lowest = ranked.topK(count).values.slice(1, count - 1, count);
  return correlations.add(ranked.atLeast(lowest).sub(1).mul(1e9)).softmax();
}

/** The sum over delays of weight times the values `delay` steps later, going round at the end. */
function rolled(weights: Value, values: Value): Value {
  const [batch, steps] = [weights.size(0), weights.size(1)];
  // In rows of 2 m - 1 of the weights repeated, row t begins with the weight of delay -t mod m: a circulant matrix.
  const repeated = weights.reshape([batch, 1, steps]).expand([1, 2 * steps - 1, steps]);
  const circulant = repeated.reshape([batch, steps, 2 * steps - 1]).slice(2, 0, steps);
  return circulant.matmul(values);
}

function fitTo(x: Value, steps: number): Value {
  const known = x.size(1);
  if (known === steps) return x;
  if (known > steps) return x.slice(1, 0, steps);
  const zeros = x
    .slice(1, 0, 1)
    .mul(0)
    .expand([1, steps - known, x.size(2)]);
  return concat([x, zeros], 1);
}
