import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { identityOf, MedleyError } from "@medley/core";
import { ModelFiles, type PinnedFile } from "../artefact/files.ts";
import { emptyLock, type LockedArtefact, type ModelLock } from "../artefact/lock.ts";
import { type PinnedModel, pinModel } from "../artefact/onnx-file.ts";
import { decodeOnnx, type OnnxGraph, onnxTypes, tensorTypeOf } from "../onnx/index.ts";
import type { FeaturesManifest } from "./features.ts";
import { type TrainedForm, type TrainedKind, trainedForms } from "./kinds.ts";
import { manifestFile, modelFile, parseManifest } from "./manifest.ts";

/** An input of a `tensors` model: its name, and its shape after the batch. */
export interface TensorInput {
  readonly name: string;
  readonly dims: readonly number[];
}

/** All that decides the vectors of a trained model. Plain data: it travels to threads. */
export interface TrainedModelDescription {
  readonly kind: "trained";
  /** `collection.space`. */
  readonly name: string;
  readonly run: string;
  readonly dimensions: number;
  readonly form: TrainedForm;
  readonly manifest: FeaturesManifest;
  readonly model: PinnedModel;
  /** Of the `tensors` form, in the graph's order; none of the other. */
  readonly inputs: readonly TensorInput[];
  /** The files that features are made from, by path. */
  readonly vocabulary: Readonly<Record<string, PinnedFile>>;
  /** Hex sha256 of all of the above but name, run and paths. */
  readonly identity: string;
}

/** Raised when the same files would give other vectors. */
const algorithm = "trained-onnx-1";

export interface TrainedSpaceOptions {
  /** `collection.space`. */
  readonly space: string;
  /** What the configuration says the space is. */
  readonly kind: TrainedKind;
  readonly dimensions: number;
  /** Of axes: the identity of the encoder whose segments they are for. */
  readonly encoder?: string;
  readonly lock: ModelLock | undefined;
}

/** Where the artefacts of a space are: beside the lock. */
export function artefactsFolder(lockFile: string | undefined, space: string): string {
  return join(lockFile === undefined ? "." : dirname(lockFile), "models", space);
}

/**
 * Reads the artefact that the lock pins for a space. Throws `model_not_found` where there is none, `model_damaged` for other
 * bytes, `model_unsupported` for what can't be served, and `config_invalid` where the artefact is not what the space says.
 */
export async function readTrainedModel(options: TrainedSpaceOptions): Promise<TrainedModelDescription> {
  const { space, lock } = options;
  const { run, files } = pinnedArtefact(space, lock);
  return describeArtefact(join(artefactsFolder(lock?.file, space), run), { ...options, hashes: files });
}

/** What the lock pins for a space. Throws `model_not_found` where it pins nothing. */
export function pinnedArtefact(space: string, lock: ModelLock | undefined): LockedArtefact {
  const locked = lock !== undefined && Object.hasOwn(lock.trained, space) ? lock.trained[space] : undefined;
  if (locked !== undefined) return locked;
  const where = lock?.file ?? "no lock file was given";
  throw new MedleyError(
    "model_not_found",
    `space ${space} is not trained: ${where} pins no artefact for it`,
    {
      mend: `run \`medley train ${space}\` (with --from FILE where the collection holds no records yet)`,
    },
  );
}

/**
 * The artefact of a tuned space as the folder of a pre-trained model, which it is laid out like, and a lock that pins it.
 * Throws `model_not_found`.
 */
export function tunedModel(space: string, lock: ModelLock | undefined): { name: string; lock: ModelLock } {
  const { run, files } = pinnedArtefact(space, lock);
  const name = `./models/${space}/${run}`;
  const models = { ...lock?.models, [name]: { revision: null, files } };
  return { name, lock: { ...emptyLock, ...lock, models } };
}

/** Reads an artefact's folder, whatever the lock pins: for whoever has just written it. Throws as `readTrainedModel`. */
export async function describeArtefact(
  directory: string,
  {
    space,
    kind,
    dimensions,
    encoder,
    hashes,
  }: Omit<TrainedSpaceOptions, "lock"> & {
    readonly hashes: Readonly<Record<string, { readonly sha256: string }>>;
  },
): Promise<TrainedModelDescription> {
  const located = {
    name: space,
    origin: "trained",
    directory,
    modelFile,
    boundary: directory,
    hashes,
  } as const;
  const files = await ModelFiles.open(located);
  const path = join(directory, manifestFile);
  const json = await files.json(manifestFile);
  if (json === undefined) {
    throw new MedleyError("model_not_found", `space ${space}: there is no ${path}`, {
      mend: `take the artefact's folder from version control or a backup, or run \`medley train ${space}\``,
    });
  }
  const { format: _, formatVersion: __, run, files: listed, ...manifest } = parseManifest(json, path);
  if (manifest.kind !== kind || manifest.dimensions !== dimensions) {
    throw new MedleyError(
      "config_invalid",
      `space ${space} is configured as ${kind} with ${dimensions} dimensions, but its artefact ${run} is ` +
        `${manifest.kind} with ${manifest.dimensions}`,
      { mend: `run \`medley train ${space}\`, or configure it as it was trained` },
    );
  }
  if (encoder !== undefined && manifest.encoder !== encoder) {
    throw new MedleyError(
      "config_invalid",
      `space ${space}: the axes of its artefact ${run} were fitted to segments of another encoder than is configured`,
      { mend: `run \`medley train ${space}\`, or configure the encoder as it was` },
    );
  }
  const pinned = await pinModel(files, modelFile);
  const vocabulary: Record<string, PinnedFile> = {};
  for (const listedPath of Object.keys(listed).sort()) {
    if (listedPath !== modelFile) vocabulary[listedPath] = await files.pin(listedPath);
  }
  const form = trainedForms[kind];
  const inputs = inputsOf(decoded(await readFile(pinned.path), pinned.path), {
    form,
    dimensions,
    path: pinned.path,
  });
  const hashesOf = Object.entries(vocabulary).map(([name, { sha256 }]) => [name, sha256]);
  const identity = identityOf({ algorithm, manifest, model: pinned.contents, vocabulary: hashesOf });
  return {
    kind: "trained",
    name: space,
    run,
    dimensions,
    form,
    manifest,
    model: pinned,
    inputs,
    vocabulary,
    identity,
  };
}

function decoded(bytes: Uint8Array, path: string): OnnxGraph {
  try {
    return decodeOnnx(bytes).graph;
  } catch (cause) {
    throw new MedleyError("model_damaged", `${path} is no ONNX model`, {
      mend: "train the space again",
      cause,
    });
  }
}

/** What the graph asks for, checked against its form. */
function inputsOf(
  graph: OnnxGraph,
  { form, dimensions, path }: { form: TrainedForm; dimensions: number; path: string },
): readonly TensorInput[] {
  const unsupported = (what: string) =>
    new MedleyError("model_unsupported", `${path}: ${what}`, { mend: "train the space again" });
  const embedding = tensorTypeOf(graph.output.find(({ name }) => name === "embedding"));
  if (embedding?.dataType !== onnxTypes.float32 || embedding.dims?.[1] !== dimensions) {
    throw unsupported(`its output "embedding" is not float32 [batch, ${dimensions}]`);
  }
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter(({ name }) => !weights.has(name));
  if (form === "bag") {
    const names = inputs.map(({ name }) => name).sort();
    if (names.join() === "ids,weights") return [];
    throw unsupported(`its inputs are ${names.join(", ")}, not ids and weights`);
  }
  return inputs.map((info) => {
    const type = tensorTypeOf(info);
    const [batch, ...dims] = type?.dims ?? [];
    if (
      type?.dataType !== onnxTypes.float32 ||
      typeof batch === "number" ||
      !dims.every(Number.isSafeInteger)
    ) {
      throw unsupported(`its input "${info.name}" is not float32 of a fixed shape behind an open batch`);
    }
    return { name: info.name, dims: dims as number[] };
  });
}
