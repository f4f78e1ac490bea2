import { MedleyError } from "@medley/core";
import type { Activation, HeadModule } from "../artefact/text-modules.ts";
import { readSafetensors, type Weights } from "./safetensors.ts";

/** Vectors of a batch end to end, in and out; the number of vectors stays. */
type Step = (vectors: Float64Array) => Float64Array;

/** Torch's default, which sentence-transformers never changes. */
const layerNormEpsilon = 1e-5;

/**
 * The modules after the pooling, with their weights in memory. Computes in float64. Throws `model_damaged` for weights
 * that are missing or of another shape than the module's configuration says.
 */
export class Head {
  readonly #steps: readonly Step[];

  /** `dimensions`: of the vectors that come in. */
  constructor(modules: readonly HeadModule[], dimensions: number) {
    let width = dimensions;
    this.#steps = modules.map((module) => {
      const step = stepOf(module, width);
      if (module.kind === "dense") width = module.outFeatures;
      return step;
    });
  }

  apply(vectors: Float64Array): Float64Array {
    return this.#steps.reduce((each, step) => step(each), vectors);
  }
}

function stepOf(module: HeadModule, width: number): Step {
  if (module.kind === "normalize") return (vectors) => perRow(vectors, width, normalise);
  const weightsOf = weightsReader(module);
  if (module.kind === "layer-norm") {
    const [scale, shift] = [weightsOf("norm.weight", [width]), weightsOf("norm.bias", [width])];
    return (vectors) => perRow(vectors, width, (row) => layerNorm(row, scale, shift));
  }
  const { inFeatures, outFeatures, bias } = module;
  const matrix = weightsOf("linear.weight", [outFeatures, inFeatures]);
  const offsets = bias ? weightsOf("linear.bias", [outFeatures]) : new Float32Array(outFeatures);
  const activate = activationFunctions[module.activation];
  return (vectors) => {
    const rows = vectors.length / inFeatures;
    const out = new Float64Array(rows * outFeatures);
    for (let row = 0; row < rows; row++) {
      const from = vectors.subarray(row * inFeatures, (row + 1) * inFeatures);
      for (let o = 0; o < outFeatures; o++) {
        let sum = offsets[o] as number;
        for (let i = 0; i < inFeatures; i++)
          sum += (from[i] as number) * (matrix[o * inFeatures + i] as number);
        out[row * outFeatures + o] = activate(sum);
      }
    }
    return out;
  };
}

function weightsReader(
  module: Exclude<HeadModule, { kind: "normalize" }>,
): (name: string, shape: readonly number[]) => Float32Array {
  const { path } = module.weights;
  const tensors: ReadonlyMap<string, Weights> = readSafetensors(module.weights);
  return (name, shape) => {
    const weights = tensors.get(name);
    if (weights !== undefined && String(weights.shape) === String(shape)) return weights.values;
    const got = weights === undefined ? "not there" : `[${weights.shape}]`;
    throw new MedleyError("model_damaged", `${path}: ${name} is ${got}, not [${shape}]`, {
      mend: "fetch the model again, with the files that belong together",
    });
  };
}

function perRow(
  vectors: Float64Array,
  width: number,
  change: (row: Float64Array) => Float64Array,
): Float64Array {
  const out = new Float64Array(vectors.length);
  for (let from = 0; from < vectors.length; from += width) {
    out.set(change(vectors.subarray(from, from + width)), from);
  }
  return out;
}

function normalise(row: Float64Array): Float64Array {
  const length = Math.hypot(...row);
  return row.map((x) => x / Math.max(length, 1e-12)); // Torch's own bound.
}

function layerNorm(row: Float64Array, scale: Float32Array, shift: Float32Array): Float64Array {
  const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
  const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
  const factor = 1 / Math.sqrt(variance + layerNormEpsilon);
  return row.map((x, d) => (x - mean) * factor * (scale[d] as number) + (shift[d] as number));
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

const activationFunctions: Readonly<Record<Activation, (x: number) => number>> = {
  Identity: (x) => x,
  Tanh: Math.tanh,
  ReLU: (x) => Math.max(0, x),
  GELU: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  SiLU: (x) => x * sigmoid(x),
  Sigmoid: sigmoid,
};

/** By its series (Abramowitz and Stegun 7.1.6), exact to float64; beyond 6 it is 1 to the last bit. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
