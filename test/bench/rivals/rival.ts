import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";

/** Asked of a rival's process, one line of JSON on its standard input: encode `texts` in the order given. */
export interface RivalRequest {
  readonly texts: readonly string[];
  /** 0: the library's own default. */
  readonly batchTexts: number;
}

/** One line of JSON on its file descriptor 3. Before the first of them it writes the line "ready". */
export interface RivalAnswer {
  /** Of the encoding alone; loading and the way between the processes don't count. */
  readonly seconds: number;
  readonly vectors: readonly (readonly number[])[];
}

/** Libraries and their programs here. All get the model's folder and the threads of a session (0: their own default). */
const programs = {
  "transformers.js": ["node", "transformersjs.ts"],
  "fastembed (npm)": ["node", "fastembed.ts"],
  "fastembed (Python)": ["python", "python.py", "fastembed"],
  "sentence-transformers": ["python", "python.py", "sentence-transformers"],
} as const;
export type RivalLibrary = keyof typeof programs;

const stderrCharactersMax = 300;

/** Another library that encodes texts, in a process of its own. */
export class Rival implements AsyncDisposable {
  readonly library: RivalLibrary;
  /** Threads inside its session; 0: the library's own default. */
  readonly threads: number;
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  #stderr = "";

  private constructor(library: RivalLibrary, threads: number, child: ChildProcess) {
    this.library = library;
    this.threads = threads;
    this.#child = child;
    this.#lines = createInterface({ input: child.stdio[3] as Readable });
    child.stderr?.on("data", (text) => {
      this.#stderr = `${this.#stderr}${text}`.slice(-stderrCharactersMax);
    });
  }

  /** Rejects, with the reason, where the library or the model can't be loaded. */
  static async start(library: RivalLibrary, modelDirectory: string, threads: number): Promise<Rival> {
    const [runtime, program, ...rest] = programs[library];
    const command = runtime === "node" ? process.execPath : process.env.MEDLEY_BENCH_PYTHON;
    if (command === undefined) {
      throw new Error("MEDLEY_BENCH_PYTHON names no Python; what it needs is in test/bench/rivals/python.py");
    }
    const path = new URL(program, import.meta.url).pathname;
    const child = spawn(command, [path, ...rest, modelDirectory, String(threads)], {
      stdio: ["pipe", "ignore", "pipe", "pipe"],
    });
    const rival = new Rival(library, threads, child);
    await rival.#line();
    return rival;
  }

  async encode(texts: readonly string[], batchTexts: number): Promise<RivalAnswer> {
    const line = this.#line();
    this.#child.stdin?.write(`${JSON.stringify({ texts, batchTexts } satisfies RivalRequest)}\n`);
    return JSON.parse(await line) as RivalAnswer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill();
    await once(this.#child, "exit");
  }

  #line(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    // "close" comes after the last of what the process wrote.
    const closed = (code: number | null) =>
      reject(new Error(`its process ended with code ${code}: ${this.#stderr.trim()}`));
    this.#child.once("close", closed);
    this.#child.once("error", reject);
    this.#lines.once("line", (line) => {
      this.#child.off("close", closed);
      this.#child.off("error", reject);
      resolve(line);
    });
    return promise;
  }
}
