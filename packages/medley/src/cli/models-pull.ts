import { MedleyError } from "@medley/core";
import {
  isBundled,
  isModelPath,
  type LockedModel,
  parseModelName,
  pinFolder,
  pullModel,
  updateLock,
} from "@medley/models";
import type { Context } from "./context.ts";
import { kindOf, type ModelsHere, modelsHere } from "./models-context.ts";
import type { Outcome } from "./output.ts";
import { megabytes, Progress } from "./progress.ts";

export interface PullArguments {
  readonly names: readonly string[];
  readonly revision?: string;
  readonly dtype?: string;
}

interface Pulled {
  readonly model: string;
  readonly revision: string | null;
  readonly files: number;
  readonly bytes: number;
}

/**
 * `medley models pull [NAME...]`: one model after the other; each is pinned as soon as it is there. A folder is pinned as it
 * is, where it is named.
 */
export async function pullModels(context: Context, given: PullArguments): Promise<Outcome> {
  const here = await modelsHere(context);
  const names = namesOf(here, given);
  const pulled: Pulled[] = [];
  for (const name of names) {
    try {
      pulled.push(await pullOne(context, here, name, given.revision));
    } catch (error) {
      if (!context.signal.aborted) throw error;
      const resume = `medley models pull${given.names.length === 0 ? "" : ` ${names.slice(pulled.length).join(" ")}`}`;
      const text = `interrupted; what is there is kept. Continue with: ${resume}`;
      return { exitCode: 130, data: { models: pulled, resume }, text };
    }
  }
  const lines = pulled.map(
    ({ model, revision, files, bytes }) =>
      `${model}: ${files} files, ${megabytes(bytes)}${revision === null ? "" : `, at ${revision.slice(0, 12)}`}`,
  );
  const text =
    names.length === 0
      ? "the configuration names no model of the hub"
      : [...lines, `pinned in ${here.lockFile}`].join("\n");
  return { exitCode: 0, data: { lock: here.lockFile, models: pulled }, text };
}

function namesOf({ configured }: ModelsHere, { names, dtype, revision }: PullArguments): string[] {
  const fromConfig = configured
    .map(({ name }) => name)
    .filter((name) => !isBundled(name) && !isModelPath(parseModelName(name).base));
  if (names.length === 0) {
    if (dtype === undefined && revision === undefined) return fromConfig;
    throw new MedleyError("usage", "--dtype and --revision are of one model", {
      mend: `name it: medley models pull ${fromConfig[0] ?? "org/name"}`,
    });
  }
  if (dtype === undefined) return [...names];
  return names.map((name) => {
    if (!name.includes("#") && /^\w+$/.test(dtype)) return `${name}#${dtype}`;
    throw new MedleyError("usage", `--dtype ${dtype} does not fit "${name}"`, {
      mend: "give the suffix once: NAME#fp16, or NAME --dtype fp16",
    });
  });
}

async function pullOne(
  context: Context,
  here: ModelsHere,
  name: string,
  revision: string | undefined,
): Promise<Pulled> {
  const model = isModelPath(parseModelName(name).base)
    ? await pinFolder(name, context.environment, { lock: here.lock, kind: kindOf(name, here) })
    : await fetchOne(context, here, name, revision);
  await updateLock(here.lockFile, (models) => {
    models[name] = model;
  });
  const files = Object.values(model.files);
  const bytes = files.reduce((sum, one) => sum + one.bytes, 0);
  return { model: name, revision: model.revision, files: files.length, bytes };
}

async function fetchOne(
  context: Context,
  here: ModelsHere,
  name: string,
  revision: string | undefined,
): Promise<LockedModel> {
  const bar = new Progress(name, { unit: "bytes" });
  try {
    return await pullModel(name, {
      environment: context.environment,
      kind: kindOf(name, here),
      revision,
      locked: Object.hasOwn(here.lock.models, name) ? here.lock.models[name] : undefined,
      onProgress: (state) => bar.update(state),
      signal: context.signal,
    });
  } finally {
    bar.stop();
  }
}
