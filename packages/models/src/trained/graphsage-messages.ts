import { MedleyError, type Neighbour } from "@medley/core";

export type Aggregator = "mean" | "pool";

/** A message, and the weight of whoever says it. */
export type Said = readonly [message: Float32Array, weight: number];

export interface SageSizes {
  /** Of a node. */
  readonly features: number;
  /** Numbers that a node says in the first layer, as many as are between the layers, and in the second. */
  readonly messages: readonly [first: number, second: number];
}

/**
 * What is heard of messages: their weighted mean, or of each number the largest (Hamilton, Ying & Leskovec 2017, §3.3; numbers that
 * are pooled are at least 0). All zero where nobody says anything.
 */
export function hear(said: readonly Said[], width: number, aggregator: Aggregator): Float32Array {
  const heard = new Float32Array(width);
  const total = said.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [message, weight] of said) {
    for (let at = 0; at < width; at += 1) {
      const before = heard[at] as number;
      const number = message[at] as number;
      heard[at] = aggregator === "mean" ? before + (weight / total) * number : Math.max(before, number);
    }
  }
  return heard;
}

/**
 * Names and shapes of the parameters in `layers.f32`, end to end in this order, row-major: of what a node says, that is of all of the
 * first layer but nothing of the second's own part. Those of a layer that pools hold its pool besides.
 */
export function sageLayerParts(
  { features, messages: [hidden, second] }: SageSizes,
  aggregator: Aggregator,
): readonly (readonly [name: string, rows: number, columns: number])[] {
  const own = [
    ["first/own", features, hidden],
    ["first/bias", 1, hidden],
  ] as const;
  if (aggregator === "mean") {
    return [...own, ["first/neighbours", features, hidden], ["second/neighbours", hidden, second]];
  }
  return [
    ...own,
    ["first/neighbours", hidden, hidden],
    ...[["first/pool", features, hidden] as const, ["first/pool-bias", 1, hidden] as const],
    ...[["second/pool", hidden, second] as const, ["second/pool-bias", 1, second] as const],
  ];
}

/** What nodes say, by their records. */
export interface SageMessages {
  /**
   * [first, second] of a node from its features and its neighbours'; of one without a record what `frozen` knows of it: null where it
   * says nothing.
   */
  says(node: Neighbour, frozen: (id: string) => Float32Array | null): Float32Array | null;
}

/** Throws `model_damaged` for bytes of another length than `sageLayerParts` gives. */
export function readSageMessages(bytes: Uint8Array, sizes: SageSizes, aggregator: Aggregator): SageMessages {
  const parts = sageLayerParts(sizes, aggregator);
  const count = parts.reduce((sum, [, rows, columns]) => sum + rows * columns, 0);
  if (bytes.byteLength !== 4 * count) {
    throw new MedleyError("model_damaged", "the trained model's layers.f32 is not as its trainer wrote it", {
      mend: "take the artefact's folder from a backup, or train the space again",
    });
  }
  const all = new Float32Array(new Uint8Array(bytes).buffer);
  const named = new Map<string, Float32Array>();
  let from = 0;
  for (const [name, rows, columns] of parts) {
    named.set(name, all.subarray(from, from + rows * columns));
    from += rows * columns;
  }
  const [hidden, second] = sizes.messages;
  const times = (x: Float32Array, name: string, columns: number) =>
    product(x, named.get(name) as Float32Array, columns);
  const plus = (x: Float32Array, name: string) => add(x, named.get(name) as Float32Array);
  const message = (x: Float32Array, layer: "first" | "second", columns: number) =>
    aggregator === "mean"
      ? times(x, `${layer}/neighbours`, columns)
      : relu(plus(times(x, `${layer}/pool`, columns), `${layer}/pool-bias`));
  // Neighbours that several nodes share are one array, whose product is made once; it goes with the array.
  const firsts = new WeakMap<Float32Array, Float32Array>();
  const firstOf = (features: Float32Array) => {
    const known = firsts.get(features) ?? message(features, "first", hidden);
    firsts.set(features, known);
    return known;
  };
  return {
    says({ id, features, neighbours }, frozen) {
      if (features === null) return frozen(id);
      const said = neighbours.flatMap((other): Said[] => {
        const first =
          other.features === null ? frozen(other.id)?.subarray(0, hidden) : firstOf(other.features);
        return first === undefined ? [] : [[first, other.weight]];
      });
      const heard = hear(said, hidden, aggregator);
      const rest = aggregator === "mean" ? heard : times(heard, "first/neighbours", hidden);
      const between = relu(add(plus(times(features, "first/own", hidden), "first/bias"), rest));
      const whole = new Float32Array(hidden + second);
      whole.set(firstOf(features));
      whole.set(message(between, "second", second), hidden);
      return whole;
    },
  };
}

/** A row times a matrix [x.length, columns]; the 0s of bags of words cost nothing. */
function product(x: Float32Array, matrix: Float32Array, columns: number): Float32Array {
  const sums = new Float32Array(columns);
  for (const [row, value] of x.entries()) {
    if (value === 0) continue;
    const from = row * columns;
    for (let at = 0; at < columns; at += 1) {
      sums[at] = (sums[at] as number) + value * (matrix[from + at] as number);
    }
  }
  return sums;
}

/** Into `x`. */
function add(x: Float32Array, other: Float32Array): Float32Array {
  for (let at = 0; at < x.length; at += 1) x[at] = (x[at] as number) + (other[at] as number);
  return x;
}

/** Into `x`. */
function relu(x: Float32Array): Float32Array {
  for (let at = 0; at < x.length; at += 1) x[at] = Math.max(0, x[at] as number);
  return x;
}
