import type { Graph } from "./graph.ts";
import { Value } from "./value.ts";

/** AdamW (Loshchilov & Hutter 2019): Adam (Kingma & Ba 2015) whose weight decay is no part of the gradient. */
export interface AdamW {
  /** Default .9. */
  readonly beta1?: number;
  /** Default .999. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Of parameters that decay, per step, times the learning rate. Default 0. */
  readonly weightDecay?: number;
  /** Gradients are scaled down so that the norm of all together is at most this. Default: no bound. */
  readonly clipNorm?: number;
}

/** The scalars of one step, which the graph takes as inputs. */
export const scalarNames = ["step-size", "epsilon", "decay"] as const;
export type StepScalars = Readonly<Record<(typeof scalarNames)[number], number>>;

/** A tensor that a step takes and gives back changed. */
export interface Carried {
  readonly value: Value;
  readonly next: Value;
  readonly initial: Float32Array;
}

const defaults = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/**
 * Adds the update of every parameter. The moments are kept unscaled (m' = β1 m' + g, v' = β2 v' + g²), which leaves what depends
 * on the step's number to three scalars: half the passes over memory of the textbook's form, the same numbers.
 */
export function updateByAdamW(
  graph: Graph,
  gradients: ReadonlyMap<string, Value>,
  optimiser: AdamW = {},
): { carried: Carried[]; scalars: Value[] } {
  const { beta1, beta2, weightDecay, clipNorm } = { clipNorm: undefined, ...defaults, ...optimiser };
  const scalars = scalarNames.map((name) => new Value(graph, name, [], "float32"));
  const [stepSize, epsilon, decay] = scalars as [Value, Value, Value];
  const clip = clipNorm === undefined ? null : clipFactor(graph, [...gradients.values()], clipNorm);
  const carried = [...graph.parameters].flatMap(([name, { value, initial, decays }]): Carried[] => {
    const raw = gradients.get(name) as Value;
    const gradient = clip === null ? raw : raw.mul(clip);
    const zeros = () => new Float32Array(initial.length);
    const moment = (which: string) => new Value(graph, `${name}/${which}-moment`, value.shape, "float32");
    const [first, second] = [moment("first"), moment("second")];
    const nextFirst = first.mul(beta1).add(gradient);
    const nextSecond = second.mul(beta2).add(gradient.square());
    const step = nextFirst.div(nextSecond.sqrt().add(epsilon)).mul(stepSize);
    const kept = decays && weightDecay > 0 ? value.mul(decay) : value;
    return [
      { value, next: kept.sub(step), initial },
      { value: first, next: nextFirst, initial: zeros() },
      { value: second, next: nextSecond, initial: zeros() },
    ];
  });
  return { carried, scalars };
}

/** `step` counts from 1. */
export function stepScalars(step: number, learningRate: number, optimiser: AdamW = {}): StepScalars {
  const { beta1, beta2, epsilon, weightDecay } = { ...defaults, ...optimiser };
  const root = Math.sqrt((1 - beta2) / (1 - beta2 ** step));
  return {
    "step-size": (learningRate * (1 - beta1)) / (1 - beta1 ** step) / root,
    epsilon: epsilon / root,
    decay: 1 - learningRate * weightDecay,
  };
}

/** Pascanu, Mikolov & Bengio 2013. */
function clipFactor(graph: Graph, gradients: readonly Value[], clipNorm: number): Value {
  const squares = gradients.map((gradient) => gradient.reduce("ReduceSumSquare", undefined, false));
  const norm = squares.reduce((sum, square) => sum.add(square)).sqrt();
  return graph.scalar(clipNorm).div(norm.add(1e-6)).min(1);
}
