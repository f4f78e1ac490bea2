import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { MedleyError } from "@medley/core";
import { decodeSafetensors, writeFileAtomic } from "@medley/models";
import type { StateTensor } from "../engine/training-step.ts";
import { encodeSafetensors } from "./safetensors.ts";

/** One epoch's figures by name: `train/loss`, and what validation gave. */
export type EpochMetrics = Readonly<Record<string, number>>;

/** How far a training is at the end of an epoch; what its step needs beside it are tensors. */
export interface FitState {
  /** Of every epoch so far. */
  readonly history: readonly EpochMetrics[];
  /** From 0; null before there is one. */
  readonly bestEpoch: number | null;
}

/** What a training goes on from. */
export interface Checkpoint {
  readonly state: FitState;
  readonly last: Map<string, StateTensor>;
  /** The step as it was after the best epoch; null where there was no validation. */
  readonly best: Map<string, StateTensor> | null;
}

const lastFile = "last.safetensors";
const stateKey = "medley.fit";

/**
 * A folder that a training can go on from after a kill, at the end of the epoch it wrote last: `last.safetensors` holds the step's
 * tensors (weights, moments) and, as metadata, how far it is; `best-<epoch>.safetensors` those of the best epoch, written before the
 * `last` that speaks of it and removed after one that doesn't. So at every moment the files that `last` needs are whole.
 * One training at a time.
 */
export class CheckpointFolder {
  readonly path: string;
  readonly #identity: string;

  /** `identity` names everything that the course of the training follows from: data, settings, seed. */
  constructor(path: string, { identity }: { readonly identity: string }) {
    this.path = path;
    this.#identity = identity;
  }

  /**
   * Null where there is none. Throws `run_damaged` where a file can't be read, or where the checkpoint is that of another training.
   */
  async read(): Promise<Checkpoint | null> {
    const last = await this.#readTensors(lastFile);
    if (last === null) return null;
    const { identity, ...state } = parsedState(last.metadata[stateKey]) ?? this.#damaged(lastFile);
    if (identity !== this.#identity) {
      throw new MedleyError(
        "run_damaged",
        `the checkpoint in ${this.path} is that of other data or settings`,
        {
          mend: "resume with what it began with, or train anew in another run",
        },
      );
    }
    const best =
      state.bestEpoch === null
        ? null
        : ((await this.#readTensors(bestFile(state.bestEpoch))) ?? this.#damaged(bestFile(state.bestEpoch)));
    return { state, last: last.tensors, best: best?.tensors ?? null };
  }

  /** At the end of an epoch. `best` is given where this epoch is the best one. Throws `data_not_writable`. */
  async write(
    state: FitState,
    { last, best }: { readonly last: ReadonlyMap<string, StateTensor>; readonly best?: typeof last },
  ): Promise<void> {
    if (best !== undefined && state.bestEpoch !== null) {
      await writeFileAtomic(join(this.path, bestFile(state.bestEpoch)), encodeSafetensors(best));
    }
    const metadata = { [stateKey]: JSON.stringify({ ...state, identity: this.#identity }) };
    await writeFileAtomic(join(this.path, lastFile), encodeSafetensors(last, metadata));
    const needed = state.bestEpoch === null ? "" : bestFile(state.bestEpoch);
    for (const file of await readdir(this.path)) {
      if (/^best-\d+\.safetensors$/.test(file) && file !== needed) await rm(join(this.path, file));
    }
  }

  /** Once the training is done there is nothing to go on from. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  async #readTensors(
    file: string,
  ): Promise<{ tensors: Map<string, StateTensor>; metadata: Readonly<Record<string, string>> } | null> {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(join(this.path, file));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
      return this.#damaged(file, cause);
    }
    try {
      const { tensors, metadata } = decodeSafetensors(bytes);
      const entries = [...tensors].map(([name, { shape, values }]): [string, StateTensor] => [
        name,
        { dims: shape, data: values },
      ]);
      return { tensors: new Map(entries), metadata };
    } catch (cause) {
      return this.#damaged(file, cause);
    }
  }

  #damaged(file: string, cause?: unknown): never {
    const path = join(this.path, file);
    throw new MedleyError("run_damaged", `the checkpoint ${path} can't be read`, {
      mend: "train anew in another run",
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

function bestFile(epoch: number): string {
  return `best-${epoch}.safetensors`;
}

function parsedState(text: string | undefined): (FitState & { readonly identity: string }) | null {
  try {
    const state = JSON.parse(text ?? "null");
    return Array.isArray(state?.history) ? state : null;
  } catch {
    return null;
  }
}
