import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";

const stderrCharactersMax = 300;

/**
 * A program that is asked by lines of JSON on its standard input and answers each with one on its file descriptor 3; before the
 * first of them it writes the line "ready". `command` may be "python": the one that MEDLEY_BENCH_PYTHON names.
 */
export class LineProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  #stderr = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdio[3] as Readable });
    child.stderr?.on("data", (text) => {
      this.#stderr = `${this.#stderr}${text}`.slice(-stderrCharactersMax);
    });
  }

  /** `program` is a file of this folder. Rejects, with the reason, where it ends before it is ready. */
  static async start(
    runtime: "node" | "python",
    program: string,
    parameters: readonly string[],
  ): Promise<LineProcess> {
    const command = runtime === "node" ? process.execPath : process.env.MEDLEY_BENCH_PYTHON;
    if (command === undefined) {
      throw new Error(
        `MEDLEY_BENCH_PYTHON names no Python; what it needs is in test/bench/rivals/${program}`,
      );
    }
    const path = new URL(program, import.meta.url).pathname;
    const child = spawn(command, [path, ...parameters], { stdio: ["pipe", "ignore", "pipe", "pipe"] });
    const started = new LineProcess(child);
    await started.#line();
    return started;
  }

  /** One request at a time. */
  async ask(request: unknown): Promise<unknown> {
    const line = this.#line();
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    return JSON.parse(await line);
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
