import { readdirSync, readFileSync } from "node:fs";
import type { Fleet } from "../fleet.ts";

/** A process at one moment, as Linux shows it. */
export interface Figures {
  readonly atMs: number;
  readonly rssMegabytes: number;
  readonly openFiles: number;
}

/** Looks at every service now and then; what it saw is by the service's name. */
export class FleetWatch implements Disposable {
  readonly samples = new Map<string, Figures[]>();
  readonly #fleet: Fleet;
  readonly #timer: NodeJS.Timeout;
  readonly #startedAtMs = performance.now();

  constructor(fleet: Fleet, everyMs: number) {
    this.#fleet = fleet;
    this.#timer = setInterval(() => this.#look(), everyMs);
  }

  get peakMegabytes(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [...this.samples].map(([name, figures]) => [
        name,
        Math.max(...figures.map(({ rssMegabytes }) => rssMegabytes)),
      ]),
    );
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const { name, pid } of this.#fleet.members) {
      const figures = pid === undefined ? null : figuresOf(pid, performance.now() - this.#startedAtMs);
      if (figures === null) continue;
      const known = this.samples.get(name) ?? [];
      this.samples.set(name, known);
      known.push(figures);
    }
  }
}

/** Null where the process has ended. */
function figuresOf(pid: number, atMs: number): Figures | null {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return {
      atMs,
      rssMegabytes: Math.round(Number(kilobytes) / 1024),
      openFiles: readdirSync(`/proc/${pid}/fd`).length,
    };
  } catch {
    return null;
  }
}

/** Of the line of least squares through the points, per minute. 0 for less than two points. */
export function slopePerMinute(points: readonly { readonly atMs: number; readonly value: number }[]): number {
  const count = points.length;
  const mean = (pick: (point: (typeof points)[number]) => number) =>
    points.reduce((sum, point) => sum + pick(point), 0) / count;
  const [atMean, valueMean] = [mean(({ atMs }) => atMs), mean(({ value }) => value)];
  const spread = points.reduce((sum, { atMs }) => sum + (atMs - atMean) ** 2, 0);
  const joint = points.reduce((sum, { atMs, value }) => sum + (atMs - atMean) * (value - valueMean), 0);
  return spread === 0 ? 0 : (joint / spread) * 60_000;
}
