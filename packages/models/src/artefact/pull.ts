import { mkdir, readdir, readFile, realpath, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, posix } from "node:path";
import { MedleyError } from "@medley/core";
import { bringFile, digestOf, matches } from "./download.ts";
import { type HubSettings, hubSettings, repositoryFolder } from "./hub-cache.ts";
import { HubClient, type HubFile } from "./hub-client.ts";
import { type Environment, isBundled, noCache } from "./locate.ts";
import type { LockedFile, LockedModel } from "./lock.ts";
import { isHubId, isModelPath, type ModelKind, modelFilesOf, parseModelName } from "./model-name.ts";
import { describeModel } from "./onnx-file.ts";
import { isPlainPath } from "./plain-path.ts";

export interface PullOptions {
  readonly environment: Environment;
  readonly kind?: ModelKind | undefined;
  /** Branch, tag or commit. Default: the locked commit, else `main`. */
  readonly revision?: string | undefined;
  /** What the lock says of the model now: at the same commit, files must still be those. */
  readonly locked?: LockedModel | undefined;
  /** `total` grows while it becomes known which files are needed. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What a model is read from, besides its ONNX file and the folders that `modules.json` names. */
const describingFiles: readonly string[] = [
  "config.json",
  "modules.json",
  "sentence_bert_config.json",
  "config_sentence_transformers.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "preprocessor_config.json",
  "processor_config.json",
  "reference.json",
];
const describingBytesMax = 256 * 2 ** 20;

/**
 * Brings the files that a hub model needs into the hub's cache (and no others), and answers their hashes for the lock.
 * With `HF_HUB_OFFLINE` it takes what the cache has, checked against the hashes the cache's names hold. Throws `usage`,
 * `model_not_found`, `model_damaged`, `model_unsupported`, `hub_unavailable`, `data_not_writable`.
 */
export async function pullModel(name: string, options: PullOptions): Promise<LockedModel> {
  const { environment, signal } = options;
  const { base } = parseModelName(name);
  if (isBundled(name) || isModelPath(base) || !isHubId(base)) throw notOfHub(name);
  const settings = await hubSettings(environment);
  if (settings.cache === undefined) throw noCache(name);
  const repository = repositoryFolder(settings.cache, base);
  const revision = options.revision ?? options.locked?.revision ?? "main";
  const progress = new PullProgress(options.onProgress);
  try {
    const source = settings.offline
      ? await cachedSource({ name, repository, revision })
      : await hubSource({ id: base, repository, revision, settings, signal, progress });
    const pull = new Pull(name, options.kind, source, progress);
    const pulled = { revision: source.commit, files: await pull.files() };
    if (options.locked?.revision === pulled.revision) assertAsLocked(name, options.locked, pulled);
    return pulled;
  } catch (error) {
    throw writingError(error, repository);
  }
}

/** Where files come from: the hub, or what the cache has of it. */
interface Source {
  readonly commit: string;
  readonly snapshot: string;
  readonly files: ReadonlyMap<string, HubFile>;
  bring(file: HubFile): Promise<LockedFile>;
}

class PullProgress {
  #done = 0;
  #total = 0;
  readonly #listener: PullOptions["onProgress"];

  constructor(listener: PullOptions["onProgress"]) {
    this.#listener = listener;
  }
  expect(bytes: number): void {
    this.#total += bytes;
    this.#listener?.({ done: this.#done, total: this.#total });
  }
  advance(bytes: number): void {
    this.#done += bytes;
    this.#listener?.({ done: this.#done, total: this.#total });
  }
}

async function hubSource(options: {
  id: string;
  repository: string;
  revision: string;
  settings: HubSettings;
  signal: AbortSignal | undefined;
  progress: PullProgress;
}): Promise<Source> {
  const { id, repository, revision, signal, progress } = options;
  const hub = new HubClient(options.settings, signal);
  const isCommit = /^[0-9a-f]{40}$/.test(revision);
  const commit = isCommit ? revision : await hub.commitOf(id, revision);
  const listed = await hub.list(id, commit);
  const files = new Map(listed.filter(({ path }) => isPlainPath(path)).map((file) => [file.path, file]));
  if (!isCommit && isPlainPath(revision)) {
    const ref = join(repository, "refs", revision);
    await mkdir(dirname(ref), { recursive: true });
    await writeFile(ref, commit);
  }
  const onBytes = (bytes: number) => progress.advance(bytes);
  return {
    commit,
    snapshot: join(repository, "snapshots", commit),
    files,
    bring: (file) => bringFile(file, { hub, id, commit, repository, signal, onBytes }),
  };
}

/** Never touches the network. A blob is called by its hash, so what the cache has can be checked. */
async function cachedSource(options: {
  name: string;
  repository: string;
  revision: string;
}): Promise<Source> {
  const { name, repository, revision } = options;
  const commit = await cachedCommit(repository, revision);
  const snapshot = commit && join(repository, "snapshots", commit);
  const paths = snapshot && (await readdir(snapshot, { recursive: true }).catch(() => undefined));
  if (!commit || !snapshot || !paths) {
    throw new MedleyError(
      "model_not_found",
      `HF_HUB_OFFLINE is set, and ${repository} has no snapshot of ${revision} for the model "${name}"`,
      { mend: "unset HF_HUB_OFFLINE, or copy the cache of a machine that has the model" },
    );
  }
  const root = await realpath(repository);
  const files = new Map<string, HubFile>();
  for (const path of paths.map((one) => one.replaceAll("\\", "/")).filter(isPlainPath)) {
    const blob = await realpath(join(snapshot, path)).catch(() => undefined);
    const stats = blob?.startsWith(root) ? await stat(blob) : undefined;
    if (blob === undefined || !stats?.isFile()) continue;
    const etag = basename(blob);
    const sha256 = /^[0-9a-f]{64}$/.test(etag) ? etag : undefined;
    const gitOid = /^[0-9a-f]{40}$/.test(etag) ? etag : undefined;
    files.set(path, { path, bytes: stats.size, sha256, gitOid });
  }
  return { commit, snapshot, files, bring: (file) => digestCached(join(snapshot, file.path), file, name) };
}

async function cachedCommit(repository: string, revision: string): Promise<string | undefined> {
  if (/^[0-9a-f]{40}$/.test(revision)) return revision;
  if (!isPlainPath(revision)) return undefined;
  const ref = await readFile(join(repository, "refs", revision), "utf8").catch(() => "");
  return /^[0-9a-f]{40}$/.exec(ref.trim())?.[0];
}

/** The files of one model, found one after the other: the ONNX file says where its weights are, `modules.json` what follows. */
class Pull {
  readonly #name: string;
  readonly #kind: ModelKind | undefined;
  readonly #source: Source;
  readonly #progress: PullProgress;
  readonly #brought: Record<string, LockedFile> = {};

  constructor(name: string, kind: ModelKind | undefined, source: Source, progress: PullProgress) {
    this.#name = name;
    this.#kind = kind;
    this.#source = source;
    this.#progress = progress;
  }

  async files(): Promise<Readonly<Record<string, LockedFile>>> {
    const modelFile = this.#modelFile();
    await this.#bring([modelFile, ...describingFiles.filter((path) => this.#source.files.has(path))]);
    await this.#bring([...(await this.#moduleFiles()), ...(await this.#externalFiles(modelFile))]);
    return this.#brought;
  }

  async #bring(paths: readonly string[]): Promise<void> {
    const absent = [...new Set(paths)].filter((path) => !Object.hasOwn(this.#brought, path));
    const files = absent.map((path) => this.#source.files.get(path) ?? this.#missing(path));
    this.#progress.expect(files.reduce((sum, { bytes }) => sum + bytes, 0));
    for (const file of files) this.#brought[file.path] = await this.#source.bring(file);
  }

  #modelFile(): string {
    const { dtype } = parseModelName(this.#name);
    const wanted = modelFilesOf(dtype, this.#kind);
    const found = wanted.find((path) => this.#source.files.has(path));
    if (found !== undefined) return found;
    const there = [...this.#source.files.keys()].filter((path) => path.endsWith(".onnx"));
    throw new MedleyError(
      "model_not_found",
      `"${this.#name}" has none of ${wanted.join(", ")} at ${this.#source.commit}`,
      {
        mend:
          there.length === 0
            ? "it has no ONNX file: export one (`optimum-cli export onnx`), or use a repository that has"
            : `it has ${there.slice(0, 20).join(", ")}: put a # and the suffix after the name (model_fp16.onnx: #fp16)`,
      },
    );
  }

  async #externalFiles(modelFile: string): Promise<string[]> {
    const path = join(this.#source.snapshot, modelFile);
    const { externalData } = describeModel(await readFile(path), path);
    return externalData.map((location) =>
      isPlainPath(location) ? posix.join(posix.dirname(modelFile), location) : this.#missing(location),
    );
  }

  /** Small weights of the modules after the transformer are safetensors; other formats can run code when they are read. */
  async #moduleFiles(): Promise<string[]> {
    if (!Object.hasOwn(this.#brought, "modules.json")) return [];
    const path = join(this.#source.snapshot, "modules.json");
    const modules = parseModules(await readFile(path, "utf8"), path);
    return modules.flatMap(({ path: folder, type }) => {
      const isTransformer = type.endsWith(".Transformer");
      const wanted = isTransformer ? describingFiles : ["config.json", "model.safetensors"];
      return wanted
        .map((file) => posix.join(folder, file))
        .filter((file) => isPlainPath(file) && this.#source.files.has(file));
    });
  }

  #missing(path: string): never {
    throw new MedleyError(
      "model_not_found",
      `"${this.#name}" needs the file ${JSON.stringify(path.slice(0, 200))}, which its repository does not have`,
      { mend: "use another revision or another model" },
    );
  }
}

function parseModules(text: string, path: string): { path: string; type: string }[] {
  try {
    const modules: unknown = text.length > describingBytesMax ? null : JSON.parse(text);
    if (Array.isArray(modules)) {
      return modules.map((one) => ({ path: String(one?.path ?? ""), type: String(one?.type ?? "") }));
    }
  } catch {}
  throw new MedleyError("model_unsupported", `${path} is no list of modules`, {
    mend: "use another revision or another model",
  });
}

async function digestCached(path: string, file: HubFile, name: string): Promise<LockedFile> {
  const digest = await digestOf(path, file);
  const known = file.sha256 !== undefined || file.gitOid !== undefined;
  if (digest !== undefined && (!known || matches(file, digest))) {
    return { sha256: digest.sha256, bytes: digest.bytes };
  }
  throw new MedleyError("model_damaged", `${path} is not what the hub's cache says it is`, {
    mend: `unset HF_HUB_OFFLINE and run "medley models pull ${name}" again`,
  });
}

function assertAsLocked(name: string, locked: LockedModel, pulled: LockedModel): void {
  for (const [path, { sha256 }] of Object.entries(locked.files)) {
    const got = pulled.files[path]?.sha256;
    if (got === undefined || got === sha256) continue;
    throw new MedleyError("model_damaged", `${path} of ${name}: the lock has sha256 ${sha256}, got ${got}`, {
      mend: "a commit's files don't change: find out who changed the lock or the file before you trust either",
    });
  }
}

function notOfHub(name: string): MedleyError {
  const mend = isBundled(name)
    ? `it travels with Medley; its float32 original is sentence-transformers/${basename(name)}#fp32`
    : "give a Hugging Face id: org/name, or org/name#fp16";
  return new MedleyError("usage", `"${name}" is no model of the hub`, { mend });
}

function writingError(error: unknown, repository: string): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (!["ENOSPC", "EDQUOT", "EACCES", "EPERM", "EROFS"].includes(code)) return error;
  return new MedleyError("data_not_writable", `${repository}: ${(error as Error).message}`, {
    mend: "make room or the folder writable, or set HF_HUB_CACHE to another one",
    cause: error,
  });
}
