import { readFile } from "node:fs/promises";
import { MedleyError } from "@medley/core";
import { writeFileAtomic } from "@medley/models";

/** One candidate, trained for one budget. */
export interface Trial {
  /** Its place in the list of candidates. */
  readonly candidate: number;
  readonly budget: number;
  /** On validation rows, higher is better; null where the training diverged. */
  readonly score: number | null;
}

/**
 * The trials that are done, in a file, so that a search which was killed goes on with the next one. `identity` names all that the
 * trials follow from. Bound: the trials of one search. One search at a time. Throws `run_damaged`, `data_not_writable`.
 */
export class TrialList {
  readonly #path: string | null;
  readonly #identity: string;
  readonly #trials: Trial[];

  private constructor(path: string | null, identity: string, trials: readonly Trial[]) {
    this.#path = path;
    this.#identity = identity;
    this.#trials = [...trials];
  }

  /** Without a path the list is in memory only. */
  static async open(path: string | null, identity: string): Promise<TrialList> {
    return new TrialList(path, identity, path === null ? [] : await readTrials(path, identity));
  }

  get trials(): readonly Trial[] {
    return this.#trials;
  }

  find(candidate: number, budget: number): Trial | undefined {
    return this.#trials.find((trial) => trial.candidate === candidate && trial.budget === budget);
  }

  async add(trial: Trial): Promise<void> {
    this.#trials.push(trial);
    if (this.#path === null) return;
    const content = { identity: this.#identity, trials: this.#trials };
    await writeFileAtomic(this.#path, `${JSON.stringify(content, null, 2)}\n`);
  }
}

async function readTrials(path: string, identity: string): Promise<readonly Trial[]> {
  let content: { identity?: unknown; trials?: unknown };
  try {
    content = JSON.parse(await readFile(path, "utf8"));
    if (!Array.isArray(content.trials)) throw new SyntaxError("no trials");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new MedleyError("run_damaged", `the trials in ${path} can't be read: ${(cause as Error).message}`, {
      mend: "remove the file, and search anew",
      cause,
    });
  }
  if (content.identity !== identity) {
    throw new MedleyError("run_damaged", `the trials in ${path} are those of another search`, {
      mend: "resume with the data and settings it began with, or search anew in another run",
    });
  }
  return content.trials as readonly Trial[];
}
