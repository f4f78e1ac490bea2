import { strict as assert } from "node:assert";
import { Random } from "@medley/core";
import { type Graph, linear, type Value } from "../engine/index.ts";

export interface ProbSparseOptions {
  readonly heads: number;
  /** The paper's c. */
  readonly factor: number;
  /** Whether a step sees only those before it and itself; queries and keys are then of the same length. */
  readonly causal: boolean;
  /** Of the keys that are sampled. */
  readonly sampleSeed: number;
}

const never = -1e9;

/**
 * ProbSparse self-attention (Zhou et al., Informer: Beyond efficient transformer for long sequence time-series forecasting, AAAI
 * 2021, section 3.2). Only the c ln(m) queries of the highest sparsity measure attend; the others get the mean of the values, or
 * where it is causal their sum up to there, as in the published code. x [batch, m, width] to the same.
 *
 * The keys by which the measure is estimated are sampled once, from `sampleSeed`, not at each pass: a served model is then a
 * function of its window alone.
 */
export function probSparseAttention(name: string, x: Value, options: ProbSparseOptions): Value {
  const [batch, steps, width] = [x.size(0), x.size(1), x.size(2)];
  const { heads } = options;
  assert(width % heads === 0, `${width} dimensions for ${heads} heads`);
  const each = width / heads;
  const split = (part: Value) => part.reshape([batch, steps, heads, each]).transpose([0, 2, 1, 3]);
  return x.graph.scoped(name, () => {
    const [q, k, v] = [
      split(linear("query", x, width)),
      split(linear("key", x, width)),
      split(linear("value", x, width)),
    ];
    const mixed = sparseMixture({ q, k, v }, options).transpose([0, 2, 1, 3]);
    return linear("output", mixed.reshape([batch, steps, width]), width);
  });
}

/** Of queries, keys and values [batch, heads, m, each] the attended values, of the same shape. */
export function sparseMixture(
  { q, k, v }: { q: Value; k: Value; v: Value },
  { factor, causal, sampleSeed }: Omit<ProbSparseOptions, "heads">,
): Value {
  const { graph } = q;
  const [batch, heads, steps, each] = [q.size(0), q.size(1), q.size(2), q.size(3)];
  const count = Math.min(steps, factor * Math.ceil(Math.log(steps)));
  const positions = sparsityMeasure(q, k, { count, sampleSeed }).topK(count).positions;
  // One row per chosen query, 1 at its step: choosing and putting back are products, which have a quick gradient.
  const all = graph.constant(
    BigInt64Array.from({ length: steps }, (_, step) => BigInt(step)),
    [steps],
  );
  const asked = positions.reshape([batch, heads, count, 1]);
  const shape = [batch, heads, count, steps];
  const chosen = graph.one("Equal", [asked, all], { shape, type: "bool" }).cast("float32");
  let scores = chosen
    .matmul(q)
    .matmul(k.transposed())
    .mul(1 / Math.sqrt(each));
  if (causal) scores = scores.add(chosen.matmul(laterSteps(graph, steps)));
  const attended = scores.softmax().matmul(v);
  if (count === steps) return chosen.transposed().matmul(attended);
  const base = causal ? runningSums(v) : v.mean([2], { keepsAxes: true });
  const others = causal ? chosen.matmul(base) : base;
  return chosen.transposed().matmul(attended.sub(others)).add(base);
}

/**
 * M(q) of each query (the paper's eq. 4 over sampled keys): its highest product with a sampled key less the mean over all keys of
 * what was sampled, [batch, heads, m]. `count` keys per query are sampled, one more than once perhaps.
 */
export function sparsityMeasure(
  q: Value,
  k: Value,
  { count, sampleSeed }: { count: number; sampleSeed: number },
): Value {
  const { graph } = q;
  const steps = k.size(2);
  const counts = sampledKeys(q.size(2), steps, { count, sampleSeed });
  const unsampled = counts.map((times) => (times === 0 ? never : 0));
  const products = q.matmul(k.transposed());
  const highest = products.add(graph.constant(unsampled, [q.size(2), steps])).largest([3]);
  // The sum of the products is the product with the sum.
  const sampledSums = graph.constant(counts, [q.size(2), steps]).matmul(k);
  return highest.sub(
    q
      .mul(sampledSums)
      .sum([3])
      .mul(1 / steps),
  );
}

/** How often each key is sampled for each query, [queries, keys]. */
function sampledKeys(
  queries: number,
  keys: number,
  { count, sampleSeed }: { count: number; sampleSeed: number },
): Float32Array {
  const counts = new Float32Array(queries * keys);
  const random = new Random(sampleSeed);
  for (let query = 0; query < queries; query += 1) {
    for (let sample = 0; sample < count; sample += 1) {
      const at = query * keys + random.below(keys);
      counts[at] = (counts[at] as number) + 1;
    }
  }
  return counts;
}

/** Added to scores: what is later than a step is never attended to. [steps, steps]. */
function laterSteps(graph: Graph, steps: number): Value {
  const mask = Float32Array.from({ length: steps * steps }, (_, at) =>
    at % steps > Math.floor(at / steps) ? never : 0,
  );
  return graph.constant(mask, [steps, steps]);
}

function runningSums(v: Value): Value {
  const steps = v.size(2);
  const matrix = Float32Array.from({ length: steps * steps }, (_, at) =>
    at % steps <= Math.floor(at / steps) ? 1 : 0,
  );
  return v.graph.constant(matrix, [steps, steps]).matmul(v);
}
