import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { FinishedRun } from "../evidence/checker.ts";
import { collectionName, recordOf } from "./content.ts";
import type { Journal } from "./journal.ts";
import type { Operation } from "./operations.ts";

export interface BackfillsOptions {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly journal: Journal;
  readonly signal: AbortSignal;
}

const command = join(import.meta.dirname, "../../../packages/medley/bin/medley.js");
const restartPauseMs = 300;
/** Of the command: done, and done with dead letters. */
const doneCodes = [0, 4];

interface Report {
  readonly data: Record<"recordsRead" | "indexed" | "tombstoned" | "superseded" | "deadLetters", number>;
}

/** Files through `medley backfill`; a command that ends early is started again with `--resume`, until the run is done. */
export class Backfills {
  readonly runs: FinishedRun[] = [];
  readonly #options: BackfillsOptions;
  readonly #running = new Set<ChildProcess>();
  #files = 0;
  #resumes = 0;

  constructor(options: BackfillsOptions) {
    this.#options = options;
  }

  get resumes(): number {
    return this.#resumes;
  }

  /** Kills one of the commands that run now; false where none does. */
  kill(): boolean {
    const [child] = this.#running;
    return child?.kill("SIGKILL") ?? false;
  }

  /** Resolves when the file is done: each of its records indexed, superseded, deleted or a dead letter. */
  async load(operations: readonly Operation[]): Promise<void> {
    const { folder, journal, signal } = this.#options;
    const path = join(folder, `items-${this.#files++}.jsonl`);
    writeFileSync(path, operations.map((operation) => `${JSON.stringify(recordOf(operation))}\n`).join(""));
    journal.sent(operations);
    let runId: string | null = null;
    while (!signal.aborted) {
      const attempt = await this.#attempt(runId === null ? [path] : [path, "--resume", runId]);
      runId ??= attempt.runId;
      if (attempt.done !== null && runId !== null) {
        const { indexed, tombstoned, superseded, deadLetters } = attempt.done.data;
        const settled = indexed + tombstoned + superseded + deadLetters;
        this.runs.push({ runId, records: operations.length, settled });
        journal.accepted(operations);
        return;
      }
      this.#resumes += 1;
      await sleep(restartPauseMs);
    }
  }

  async #attempt(args: readonly string[]): Promise<{ runId: string | null; done: Report | null }> {
    const { folder, environment, signal } = this.#options;
    const child = spawn(
      process.execPath,
      [command, "--json", "backfill", ...args, "--collection", collectionName],
      { cwd: folder, env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"], signal },
    );
    child.on("error", () => {}); // Aborted: it is killed, and `close` follows.
    this.#running.add(child);
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), closed(child)]);
    this.#running.delete(child);
    const [, runId = null] = /^run (\S+):/m.exec(stderr) ?? [];
    const done = doneCodes.includes(child.exitCode ?? -1) ? (JSON.parse(stdout) as Report) : null;
    return { runId, done };
  }
}

async function closed(child: ChildProcess): Promise<void> {
  await once(child, "close");
}
