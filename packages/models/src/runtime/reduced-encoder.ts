import {
  cutEncoder,
  type Encoder,
  MedleyError,
  reducedEncoder,
  reductionOf,
  type SegmentEncoder,
  type SpaceDefinition,
} from "@medley/core";
import { defaultTextModel } from "../artefact/locate.ts";
import type { ModelLock } from "../artefact/lock.ts";
import { canBeCut, type Matryoshka, matryoshkaOf } from "../artefact/matryoshka.ts";
import type { EncoderOptions, ModelRuntime } from "./model-runtime.ts";

export interface ReducedEncoderOptions extends Pick<EncoderOptions, "lock"> {
  /** `collection.space`, by which the lock pins the axes. */
  readonly space: string;
  readonly definition: SpaceDefinition;
  readonly runtime: ModelRuntime;
}

/**
 * `whole` with as many dimensions as the space is to have. Throws `config_invalid` where these are not fewer, or the pinned axes are of another
 * encoder's segments; `model_unsupported` for a cut that the model does not say it was trained for; and what `trainedEncoder` throws.
 */
export async function openReducedEncoder(
  whole: Encoder,
  { space, definition, runtime, lock }: ReducedEncoderOptions,
): Promise<Encoder> {
  const reduced = reductionOf(definition);
  if (reduced === undefined) return whole;
  const { to, by } = reduced;
  checkReduced(space, to, whole.dimensions);
  if (by !== "cut") {
    const axes = await runtime.trainedEncoder({
      ...{ space, kind: by, dimensions: to },
      encoder: whole.identity,
      lock,
    });
    return reducedEncoder(whole, axes as SegmentEncoder);
  }
  const matryoshka = await cutsOf(definition, runtime, lock);
  if (!canBeCut(matryoshka, to)) throw notMatryoshka(space, to, matryoshka);
  return reducedEncoder(whole, cutEncoder(space, to));
}

/** Throws `config_invalid` where there are no fewer dimensions than the encoder gives. */
export function checkReduced(space: string, to: number, dimensions: number): void {
  if (to < dimensions) return;
  throw new MedleyError(
    "config_invalid",
    `space ${space} is to be reduced to ${to} dimensions, but its encoder gives ${dimensions}`,
    { mend: `set reduced.to below ${dimensions}, or leave "reduced" out` },
  );
}

/** To how many of its first dimensions a definition's vectors may be cut. */
export async function cutsOf(
  definition: SpaceDefinition,
  runtime: ModelRuntime,
  lock?: ModelLock,
): Promise<Matryoshka> {
  if (definition.encoder === "remote") return matryoshkaOf(definition.model);
  return definition.encoder === "text"
    ? runtime.matryoshka(definition.model ?? defaultTextModel, { lock })
    : [];
}

function notMatryoshka(space: string, to: number, matryoshka: Matryoshka): MedleyError {
  const what =
    matryoshka.length === 0
      ? "its model does not say that it was trained for that (matryoshka_dimensions in its config.json)"
      : `its model was trained for ${[matryoshka].flat().join(", ")}`;
  return new MedleyError(
    "model_unsupported",
    `space ${space} is to be cut to its first ${to} dimensions: ${what}`,
    {
      mend: `set reduced.by to "pca" and run \`medley train ${space}\`${matryoshka.length === 0 ? "" : ", or reduced.to to one of these"}`,
    },
  );
}
