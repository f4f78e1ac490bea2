import { MedleyError } from "@medley/core";
import { describeArtefact, type LockedArtefact, openModelRuntime, type TrainedKind } from "@medley/models";
import { encodeValues } from "../encode-values.ts";
import type { TrainedModel } from "../trained-model.ts";

/** Of an entry of a vector of unit length. */
const differenceMax = 1e-5;

/**
 * Opens a written artefact as the worker does, in its threads, and compares vectors with the trained model's own. Returns
 * the largest difference. Throws `model_unsupported` where it is above 1e-5, and what opening an artefact throws.
 */
export async function checkServed(
  model: TrainedModel,
  inputs: readonly unknown[],
  { directory, space, artefact }: { directory: string; space: string; artefact: LockedArtefact },
): Promise<number> {
  const { kind, dimensions } = model.manifest;
  const description = await describeArtefact(directory, {
    space,
    kind: kind as TrainedKind,
    dimensions,
    hashes: artefact.files,
  });
  await using runtime = openModelRuntime({ environment: {}, threads: 1 });
  const encoder = await runtime.openTrained(description);
  const served = await encoder.encode(inputs);
  const { values: trained } = await encodeValues(model, inputs);
  let difference = 0;
  for (const [row, result] of served.entries()) {
    if (!result.ok) throw apart(space, result.failure.message);
    for (const [d, x] of result.value.entries()) {
      const distance = Math.abs(x - (trained[row * dimensions + d] as number));
      // Not a number is further away than any.
      if (!(distance <= difference)) difference = distance;
    }
  }
  if (difference <= differenceMax) return difference;
  throw apart(space, `up to ${difference} apart per dimension, more than ${differenceMax}`);
}

function apart(space: string, what: string): MedleyError {
  return new MedleyError(
    "model_unsupported",
    `space ${space}: the artefact is not served as it was trained: ${what}`,
    {
      mend: "report it with the kind of the space and the version; the artefact that served before is still pinned",
    },
  );
}
