import { LineProcess } from "./line-process.ts";

/** Asked of a rival's process: encode `texts` in the order given. */
export interface RivalRequest {
  readonly texts: readonly string[];
  /** 0: the library's own default. */
  readonly batchTexts: number;
}

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

/** Another library that encodes texts, in a process of its own. */
export class Rival implements AsyncDisposable {
  readonly library: RivalLibrary;
  /** Threads inside its session; 0: the library's own default. */
  readonly threads: number;
  readonly #process: LineProcess;

  private constructor(library: RivalLibrary, threads: number, process: LineProcess) {
    this.library = library;
    this.threads = threads;
    this.#process = process;
  }

  /** Rejects, with the reason, where the library or the model can't be loaded. */
  static async start(library: RivalLibrary, modelDirectory: string, threads: number): Promise<Rival> {
    const [runtime, program, ...rest] = programs[library];
    const parameters = [...rest, modelDirectory, String(threads)];
    return new Rival(library, threads, await LineProcess.start(runtime, program, parameters));
  }

  async encode(texts: readonly string[], batchTexts: number): Promise<RivalAnswer> {
    return (await this.#process.ask({ texts, batchTexts } satisfies RivalRequest)) as RivalAnswer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
