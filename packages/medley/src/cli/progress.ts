export interface ProgressState {
  readonly done: number;
  /** Null where it can't be known (stdin). */
  readonly total: number | null;
  /** What is done just now, where that changes. */
  readonly phase?: string;
}

/** What is counted, in plural: records, rows of a table, steps of a training; or the bytes of files. */
export type ProgressUnit = string;

// A bar on a terminal follows the eye; elsewhere (CI, files) a line now and then is enough.
const barIntervalMs = 250;
const lineIntervalMs = 10_000;
const barWidth = 24;

/**
 * Shows a long work's progress on stderr: a bar on a terminal, a summary line every 10 seconds elsewhere, with rate and
 * time left. The rate is that of the whole run since its start. Bounds: one timer, cleared by `stop`.
 */
export class Progress {
  readonly #label: string;
  readonly #unit: ProgressUnit;
  readonly #stream: NodeJS.WriteStream;
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #state: ProgressState = { done: 0, total: null };
  #firstDone: number | null = null;

  constructor(
    label: string,
    options: { readonly unit?: ProgressUnit; readonly stream?: NodeJS.WriteStream } = {},
  ) {
    const { unit = "records", stream = process.stderr } = options;
    this.#label = label;
    this.#unit = unit;
    this.#stream = stream;
    this.#timer = setInterval(() => this.#show(), this.#isTerminal ? barIntervalMs : lineIntervalMs);
  }

  get #isTerminal(): boolean {
    return this.#stream.isTTY === true && !process.env.CI;
  }

  update(state: ProgressState): void {
    // What a resumed run has done before does not count towards its rate.
    this.#firstDone ??= state.done;
    this.#state = state;
  }

  stop(): void {
    clearInterval(this.#timer);
    if (this.#isTerminal) this.#stream.write("\r\u001b[2K");
    else if (performance.now() - this.#startedMs > lineIntervalMs) this.#show();
  }

  #show(): void {
    const line = progressLine(this.#label, this.#state, {
      seconds: (performance.now() - this.#startedMs) / 1000,
      firstDone: this.#firstDone ?? 0,
      unit: this.#unit,
    });
    this.#stream.write(this.#isTerminal ? `\r\u001b[2K${line}` : `${line}\n`);
  }
}

/** `films  [######------]  1,200/2,500  118 records/s  11 s left`; bytes as `12.3/90.4 MB  5.1 MB/s`. */
export function progressLine(
  label: string,
  { done, total, phase }: ProgressState,
  {
    seconds,
    firstDone,
    unit = "records",
  }: { seconds: number; firstDone: number; unit?: ProgressUnit | undefined },
): string {
  const amount = unit === "bytes" ? (value: number) => (value / 1e6).toFixed(1) : count;
  const suffix = unit === "bytes" ? " MB" : "";
  const rate = seconds > 0 ? (done - firstDone) / seconds : 0;
  const parts = phase === undefined ? [label] : [label, phase];
  if (total !== null && total > 0) {
    parts.push(barOf(done / total), `${amount(done)}/${amount(total)}${suffix}`);
  } else parts.push(`${amount(done)}${suffix}`);
  const perSecond = rate < 10 ? rate.toFixed(1) : count(Math.round(rate));
  parts.push(unit === "bytes" ? `${amount(rate)} MB/s` : `${perSecond} ${unit}/s`);
  if (total !== null && rate > 0) parts.push(`${duration((total - done) / rate)} left`);
  return parts.join("  ");
}

/** `[######------]` */
export function barOf(share: number): string {
  const filled = Math.round(Math.min(share, 1) * barWidth);
  return `[${"#".repeat(filled)}${"-".repeat(barWidth - filled)}]`;
}

/** `24.2 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
