import { TrainingLine } from "./training-line.ts";

/** The progress on stderr: a line per candidate and stage. */
export class CandidateLine {
  readonly #collection: string;
  #candidate = "";
  #line: TrainingLine | null = null;

  constructor(collection: string) {
    this.#collection = collection;
  }

  update(candidate: string, progress: Parameters<TrainingLine["update"]>[0]): void {
    if (candidate !== this.#candidate) {
      this.stop();
      process.stderr.write(`${this.#collection}  ${candidate}\n`);
      this.#candidate = candidate;
      this.#line = new TrainingLine(candidate);
    }
    this.#line?.update(progress);
  }

  stop(): void {
    this.#line?.stop();
    this.#line = null;
    this.#candidate = "";
  }
}
