import type { TrainingProgress } from "@medley/training";
import { Progress } from "./progress.ts";

/**
 * The progress of a training on stderr: a line per stage, with its loss. A stage that comes again (on other rows, in another round) has the
 * same name; that less is done, or another number in all, tells it from the one before, and its rate is its own.
 */
export class TrainingLine {
  readonly #place: string;
  readonly #stream: NodeJS.WriteStream;
  #last: Pick<TrainingProgress, "stage" | "done" | "total"> | null = null;
  #bar: Progress | null = null;

  constructor(place: string, { stream = process.stderr }: { readonly stream?: NodeJS.WriteStream } = {}) {
    this.#place = place;
    this.#stream = stream;
  }

  update({ stage, done, total, unit, loss }: TrainingProgress): void {
    const last = this.#last;
    if (last === null || stage !== last.stage || done < last.done || total !== last.total) {
      this.stop();
      this.#bar = new Progress(this.#place, { unit, stream: this.#stream });
    }
    this.#last = { stage, done, total };
    const phase = loss === undefined ? stage : `${stage}  loss ${loss.toPrecision(4)}`;
    this.#bar?.update({ done, total: total === 0 ? null : total, phase });
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = null;
    this.#last = null;
  }
}
