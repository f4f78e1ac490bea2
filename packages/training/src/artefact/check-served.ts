import { type EncodeResult, MedleyError } from "@medley/core";
import {
  describeArtefact,
  emptyLock,
  type LockedArtefact,
  type ModelSpaceDefinition,
  openModelRuntime,
  openSpaceEncoder,
  type TrainedKind,
} from "@medley/models";
import { encodableValues, encodeValues } from "../encode-values.ts";
import type { ReferenceVectors, TrainedModel } from "../trained-model.ts";

/** Of an entry of a vector of unit length. */
const differenceMax = 1e-5;

/**
 * Opens a written artefact as the worker does, in its threads, and compares vectors with the trained model's own. Returns
 * the largest difference; null where the model's features refuse every input, which leaves nothing to compare. Throws `model_unsupported` where it is above 1e-5, and what opening an artefact throws.
 */
export async function checkServed(
  model: TrainedModel,
  inputs: readonly unknown[],
  { directory, space, artefact }: { directory: string; space: string; artefact: LockedArtefact },
): Promise<number | null> {
  const { kind, dimensions } = model.manifest;
  const description = await describeArtefact(directory, {
    space,
    kind: kind as TrainedKind,
    dimensions,
    hashes: artefact.files,
  });
  await using runtime = openModelRuntime({ environment: {}, threads: 1 });
  const encoder = await runtime.openTrained(description);
  // By the trained model's features, not by what is served: what that one refuses beyond them is a difference.
  const encodable = encodableValues(model, inputs);
  if (encodable.length === 0) return null;
  const served = await encoder.encode(encodable);
  const { values: trained } = await encodeValues(model, encodable);
  return checkedDifference(served, trained, space);
}

export interface TunedSpace {
  readonly definition: ModelSpaceDefinition;
  /** `collection.space`. */
  readonly space: string;
  /** The artefact lies beside it, as `artefactsFolder` says. */
  readonly lockFile: string;
  readonly artefact: LockedArtefact;
}

/**
 * Likewise for the artefact of a fine-tuned model, which opens as a pre-trained one in the place of the space's: compares with
 * what the fine-tuning computed itself. Pictures and clips are read again.
 */
export async function checkTunedServed(
  { values, vectors }: ReferenceVectors,
  { definition, space, lockFile, artefact }: TunedSpace,
): Promise<number> {
  await using resources = new AsyncDisposableStack();
  const lock = { ...emptyLock, file: lockFile, trained: { [space]: artefact } };
  const runtime = resources.use(openModelRuntime({ environment: {}, lock, threads: 1 }));
  const encoder = await openSpaceEncoder(definition, { runtime, resources, tuned: space });
  return checkedDifference(await encoder.encode(values), vectors, space);
}

/** `trained`: [served, dimensions]. */
function checkedDifference(served: readonly EncodeResult[], trained: Float32Array, space: string): number {
  let difference = 0;
  for (const [row, result] of served.entries()) {
    if (!result.ok) {
      const { code, message } = result.failure;
      // A host that is down says nothing of the artefact.
      throw code === "encoder_unavailable" ? new MedleyError(code, message) : apart(space, message);
    }
    const own = trained.subarray(row * result.value.length, (row + 1) * result.value.length);
    for (const [d, x] of result.value.entries()) {
      const distance = Math.abs(x - (own[d] as number));
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
