import { MedleyError } from "@medley/core";
import type { LockedFile } from "../artefact/lock.ts";
import { isRunId } from "../artefact/lock.ts";
import { isPlainPath } from "../artefact/plain-path.ts";
import type { FeaturesManifest } from "./features.ts";
import { isTrainedKind } from "./kinds.ts";

export const manifestFile = "manifest.json";
export const modelFile = "model.onnx";

/** Raised when a reader of the version before could not prepare the model's inputs as it was trained. */
const formatVersion = 1;

/** `manifest.json` of a trained model: what it is, what its kind needs to prepare inputs, and which bytes belong to it. */
export interface TrainedManifest extends FeaturesManifest {
  readonly format: "medley-model";
  readonly formatVersion: number;
  readonly run: string;
  /** By path in the artefact's folder: what decides vectors, `model.onnx` and vocabularies. */
  readonly files: Readonly<Record<string, LockedFile>>;
}

/** The text of a `manifest.json`. */
export function encodeManifest(
  manifest: FeaturesManifest,
  written: { readonly run: string; readonly files: Readonly<Record<string, LockedFile>> },
): string {
  const whole: TrainedManifest = { ...manifest, format: "medley-model", formatVersion, ...written };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

/** Throws `model_damaged` for what is no manifest, `model_unsupported` for one of a later version or an unknown kind. */
export function parseManifest(json: Readonly<Record<string, unknown>>, path: string): TrainedManifest {
  const { format, formatVersion: version, kind, dimensions, run, files } = json;
  const damaged = (what: string) =>
    new MedleyError("model_damaged", `${path}: ${what}`, {
      mend: "take the artefact's folder from a backup, or train the space again",
    });
  if (format !== "medley-model") throw damaged('its format is not "medley-model"');
  if (!Number.isSafeInteger(version) || (version as number) < 1)
    throw damaged("its formatVersion is no number");
  if ((version as number) > formatVersion || !isTrainedKind(kind)) {
    throw new MedleyError(
      "model_unsupported",
      `${path}: it is a model of kind ${JSON.stringify(kind)} and version ${version}, which this version of Medley can't serve`,
      { mend: "update Medley to the version that trained it, or train the space again" },
    );
  }
  if (!Number.isSafeInteger(dimensions) || (dimensions as number) < 1)
    throw damaged("its dimensions are no number");
  if (!isRunId(run)) throw damaged("its run is no id");
  const paths = typeof files === "object" && files !== null ? Object.keys(files) : [];
  if (!paths.includes(modelFile) || !paths.every(isPlainPath))
    throw damaged(`its files do not list ${modelFile}`);
  return json as unknown as TrainedManifest;
}

/**
 * What a manifest lists, of whatever kind it is: also a tuned pre-trained model's. Throws `model_damaged` where it lists no
 * files with their hashes.
 */
export function parseManifestFiles(bytes: Uint8Array, path: string): Readonly<Record<string, LockedFile>> {
  let files: unknown;
  try {
    files = JSON.parse(new TextDecoder().decode(bytes)).files;
  } catch {
    files = undefined;
  }
  const entries = typeof files === "object" && files !== null ? Object.entries(files) : [];
  const isPinned = ([name, file]: [string, LockedFile]) =>
    isPlainPath(name) && /^[0-9a-f]{64}$/.test(String(file?.sha256)) && Number.isSafeInteger(file?.bytes);
  if (entries.length > 0 && entries.every(isPinned)) return Object.fromEntries(entries);
  throw new MedleyError("model_damaged", `${path} lists no files with their sha256`, {
    mend: "take the artefact's folder from a backup, or train the space again",
  });
}
