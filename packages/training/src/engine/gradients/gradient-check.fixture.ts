/** Gradients against finite differences of the same graph, run by ONNX Runtime in single precision. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { Random } from "../../random.ts";
import { Graph } from "../graph.ts";
import { type Shape, sizeOf } from "../shape.ts";
import type { Value } from "../value.ts";
import { gradients } from "./gradients.ts";

/** Builds what is differentiated from as many parameters as shapes are given. */
export type Built = (
  graph: Graph,
  ...parameters: [a: Value, b: Value, c: Value, d: Value, e: Value]
) => Value;

export interface CheckOptions {
  /** Of the parameters' values; default: normal, deviation 1. */
  readonly draw?: (random: Random) => number;
  /** Far from kinks a larger one is less noisy. Default .04. */
  readonly difference?: number;
}

/** The largest difference between both gradients, over the largest gradient of all, per parameter. */
export async function gradientErrors(
  shapes: readonly Shape[],
  build: Built,
  { draw = (random) => random.normal(), difference = 0.04 }: CheckOptions = {},
): Promise<number[]> {
  const graph = new Graph({ seed: 7 });
  const values = shapes.map((shape, at) => graph.parameter(`p${at}`, shape, draw));
  // A weight per element, so that no two elements of the output are alike to the loss.
  const result = build(graph, ...(values as Parameters<Built> extends [Graph, ...infer Five] ? Five : never));
  const weights = new Random(11);
  const mix = Float32Array.from({ length: sizeOf(result.shape) }, () => weights.normal());
  const loss = result.mul(graph.constant(mix, result.shape)).sum();
  // Layers add parameters of their own.
  const parameters = [...graph.parameters.values()];
  const found = gradients(
    graph,
    loss,
    parameters.map(({ value }) => value),
  );
  const outputs = new Map([["loss", loss], ...found.map((value, at): [string, Value] => [`d${at}`, value])]);
  const session = await InferenceSession.create(
    graph.model(
      outputs,
      parameters.map(({ value }) => value),
    ),
    { logSeverityLevel: 3 },
  );
  const data = parameters.map(({ initial }) => initial.slice());
  const run = async (fetches: string[]) => {
    const feeds = parameters.map(({ value: { name, shape } }, at): [string, Tensor] => [
      name,
      new Tensor("float32", data[at] as Float32Array, shape),
    ]);
    const taken = feeds.filter(([name]) => session.inputNames.includes(name));
    return session.run(Object.fromEntries(taken), fetches);
  };
  const lossAt = async () => Number((await run(["loss"])).loss?.data[0]);
  const analytic = await run(found.map((_, at) => `d${at}`));
  const errors: number[] = [];
  let scale = 1e-3;
  for (const [at, parameter] of data.entries()) {
    const gradient = analytic[`d${at}`]?.data as Float32Array;
    let error = 0;
    for (const [element, origin] of parameter.entries()) {
      const along = async (steps: number) => {
        parameter[element] = origin + steps * difference;
        return lossAt();
      };
      // Central differences of fourth order: their error is that of single precision alone.
      const slope =
        (8 * ((await along(1)) - (await along(-1))) - ((await along(2)) - (await along(-2)))) /
        (12 * difference);
      parameter[element] = origin;
      error = Math.max(error, Math.abs(slope - (gradient[element] as number)));
      scale = Math.max(scale, Math.abs(gradient[element] as number));
    }
    errors.push(error);
  }
  await session.release();
  return errors.map((error) => error / scale);
}
