import type { TrainingProgress } from "@medley/training";
import { Progress } from "./progress.ts";

/** The progress of a training on stderr: a line per stage, with its loss. */
export class TrainingLine {
  readonly #place: string;
  #stage = "";
  #bar: Progress | null = null;

  constructor(place: string) {
    this.#place = place;
  }

  update({ stage, done, total, unit, loss }: TrainingProgress): void {
    if (stage !== this.#stage) {
      this.stop();
      this.#stage = stage;
      this.#bar = new Progress(this.#place, { unit });
    }
    const phase = loss === undefined ? stage : `${stage}  loss ${loss.toPrecision(4)}`;
    this.#bar?.update({ done, total: total === 0 ? null : total, phase });
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = null;
    this.#stage = "";
  }
}
