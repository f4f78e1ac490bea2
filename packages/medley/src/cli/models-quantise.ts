import { relative, resolve } from "node:path";
import { quantiseModel } from "@medley/models";
import type { Context } from "./context.ts";
import { kindOf, modelsHere } from "./models-context.ts";
import type { Outcome } from "./output.ts";
import { megabytes } from "./progress.ts";

/** `medley models quantise MODEL --out FOLDER`. */
export async function quantiseCommand(context: Context, model: string, out: string): Promise<Outcome> {
  const here = await modelsHere(context);
  const made = await quantiseModel(model, resolve(context.directory, out), context.environment, {
    lock: here.lock,
    kind: kindOf(model, here),
  });
  const { directory, bytesBefore, bytesAfter, tensors, vectors, weights } = made;
  const figures = (one: { cosineMin: number; cosineMean: number }) =>
    `cosine min ${one.cosineMin.toFixed(6)}, mean ${one.cosineMean.toFixed(6)}`;
  const text = [
    `${directory}: ${megabytes(bytesAfter)} instead of ${megabytes(bytesBefore)}, ${tensors.length} tensors as int8`,
    `weights to the original's: ${figures(weights)}`,
    vectors === null
      ? "vectors: not compared (no text model)"
      : `vectors to the original's, over ${vectors.inputs} texts: ${figures(vectors)}`,
    `use it as model: "./${relative(context.directory, directory)}"`,
  ].join("\n");
  const compared = vectors && { inputs: vectors.inputs, min: vectors.cosineMin, mean: vectors.cosineMean };
  const data = {
    model,
    directory,
    bytesBefore,
    bytesAfter,
    tensors: tensors.length,
    cosineToSource: {
      vectors: compared,
      weights: { min: weights.cosineMin, mean: weights.cosineMean },
    },
  };
  return { exitCode: 0, data, text };
}
