/** Opens what is differentiated in ONNX Runtime, and compares gradients with finite differences in single precision. */

import { Random } from "@medley/core";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { Graph, type Parameter } from "../graph.ts";
import { type Shape, sizeOf } from "../shape.ts";
import type { Value } from "../value.ts";
import { gradients } from "./gradients.ts";

/** Builds what is differentiated from as many parameters as shapes are given. */
export type Built = (
  graph: Graph,
  ...parameters: [a: Value, b: Value, c: Value, d: Value, e: Value]
) => Value;

/** How parameters are drawn: those of functions with kinks stay away from them. */
const draws = {
  normal: (random: Random) => random.normal(),
  positive: (random: Random) => 0.5 + random.uniform(),
  /** By .2 at least. */
  awayFromZero: (random: Random) => (random.uniform() < 0.5 ? -1 : 1) * (0.2 + random.uniform()),
  /** All of 24 in a row differ by .1 at least, so that no difference step changes their order. */
  ranked: (_: Random, at: number) => ((at * 7) % 24) * 0.1 - 1.2,
};
export type Drawn = keyof typeof draws;

export type GradientCase = readonly [name: string, shapes: readonly Shape[], build: Built, drawn?: Drawn];

export function buildCase(
  shapes: readonly Shape[],
  build: Built,
  drawn: Drawn = "normal",
): { graph: Graph; result: Value } {
  const graph = new Graph({ seed: 7 });
  let at = 0;
  const values = shapes.map((shape, index) =>
    graph.parameter(`p${index}`, shape, (random) => draws[drawn](random, at++)),
  );
  const result = build(graph, ...(values as Parameters<Built> extends [Graph, ...infer Five] ? Five : never));
  return { graph, result };
}

/** A sum of what was built, each element weighted so that no two are alike to it, and its gradients. */
export class OpenCase implements AsyncDisposable {
  readonly parameters: readonly Parameter[];
  /** Weights of the sum. */
  readonly mixSize: number;
  readonly #session: InferenceSession;
  readonly #mix: Value;

  private constructor(parameters: readonly Parameter[], mix: Value, session: InferenceSession) {
    this.parameters = parameters;
    this.mixSize = sizeOf(mix.shape);
    this.#mix = mix;
    this.#session = session;
  }

  static async open(shapes: readonly Shape[], build: Built, drawn?: Drawn): Promise<OpenCase> {
    const { graph, result } = buildCase(shapes, build, drawn);
    const mix = graph.input("mix", result.shape);
    const loss = result.mul(mix).sum();
    // Layers add parameters of their own.
    const parameters = [...graph.parameters.values()];
    const trained = parameters.map(({ value }) => value);
    const found = gradients(graph, loss, trained);
    const outputs = new Map([["loss", loss]]);
    for (const [index, value] of found.entries()) outputs.set(`d${index}`, value);
    const session = await InferenceSession.create(graph.model(outputs, trained), { logSeverityLevel: 3 });
    return new OpenCase(parameters, mix, session);
  }

  async lossOf(data: readonly Float32Array[], mix: Float32Array): Promise<number> {
    const { loss } = await this.#session.run(this.#feeds(data, mix), ["loss"]);
    return Number(loss?.data[0]);
  }

  /** One per parameter. */
  async gradientsOf(data: readonly Float32Array[], mix: Float32Array): Promise<Float32Array[]> {
    const names = this.parameters.map((_, at) => `d${at}`);
    const results = await this.#session.run(this.#feeds(data, mix), names);
    return names.map((name) => results[name]?.data as Float32Array);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release();
  }

  #feeds(data: readonly Float32Array[], mix: Float32Array): Record<string, Tensor> {
    const given = this.parameters.map(({ value }, at) => [value, data[at] as Float32Array] as const);
    const feeds = [...given, [this.#mix, mix] as const].map(([{ name, shape }, values]): [string, Tensor] => [
      name,
      new Tensor("float32", values, shape),
    ]);
    return Object.fromEntries(feeds.filter(([name]) => this.#session.inputNames.includes(name)));
  }
}

/** A step of differences; away from kinks, a larger one is less noisy. */
const difference = 0.04;

/** The largest difference from finite differences over the largest gradient of all, per parameter. */
export async function gradientErrors(
  shapes: readonly Shape[],
  build: Built,
  drawn?: Drawn,
): Promise<number[]> {
  await using open = await OpenCase.open(shapes, build, drawn);
  const random = new Random(11);
  const mix = Float32Array.from({ length: open.mixSize }, () => random.normal());
  const data = open.parameters.map(({ initial }) => initial.slice());
  const analytic = await open.gradientsOf(data, mix);
  const numeric: Float64Array[] = [];
  for (const parameter of data) {
    const slopes = new Float64Array(parameter.length);
    for (const [element, origin] of parameter.entries()) {
      const along = async (steps: number) => {
        parameter[element] = origin + steps * difference;
        return open.lossOf(data, mix);
      };
      // Central differences of fourth order: their error is that of single precision alone.
      slopes[element] =
        (8 * ((await along(1)) - (await along(-1))) - ((await along(2)) - (await along(-2)))) /
        (12 * difference);
      parameter[element] = origin;
    }
    numeric.push(slopes);
  }
  return relativeErrors(analytic, numeric);
}

/** The largest difference in each list over the largest value of all lists. */
export function relativeErrors(
  found: readonly ArrayLike<number>[],
  expected: readonly ArrayLike<number>[],
): number[] {
  const scale = Math.max(1e-3, ...expected.flatMap((list) => Array.from(list, Math.abs)));
  return expected.map((list, at) => {
    const differences = Array.from(list, (value, element) =>
      Math.abs(value - (found[at]?.[element] ?? Number.NaN)),
    );
    return Math.max(...differences) / scale;
  });
}
