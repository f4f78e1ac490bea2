import { type Collection, MedleyError } from "@medley/core";
import type { Environment, ModelLock } from "@medley/models";
import type { Candidate } from "./candidates.ts";
import { sizesOf } from "./measure-candidate.ts";
import {
  candidateBytes,
  furtherThreadBytes,
  processBytes,
  recordsThatFit,
  type Sampled,
  type Sizes,
} from "./memory-need.ts";

/** A candidate that is not measured. */
export interface Skipped {
  readonly candidate: Candidate;
  readonly reason: "memory";
  /** What measuring it would take, about. */
  readonly bytes: number;
}

export interface MemoryBudgetOptions {
  readonly collection: Collection;
  readonly environment: Environment;
  readonly lock: ModelLock;
}

/** Fewer are no sample. */
const recordsMin = 40;

/**
 * How much memory an assignment may take: fewer records are drawn where comparing so many would take more, and candidates whose
 * measuring would are left out. Everything is estimated before it is begun. Null: no bound.
 */
export class MemoryBudget {
  readonly #bytesMax: number | null;
  readonly #sizes: ReadonlyMap<Candidate, Sizes>;

  private constructor(bytesMax: number | null, sizes: ReadonlyMap<Candidate, Sizes>) {
    this.#bytesMax = bytesMax;
    this.#sizes = sizes;
  }

  static async of(
    bytesMax: number | null,
    candidates: readonly Candidate[],
    options: MemoryBudgetOptions,
  ): Promise<MemoryBudget> {
    const sizes = new Map<Candidate, Sizes>();
    if (bytesMax !== null)
      for (const candidate of candidates) {
        const read = candidates.filter(({ key }) => candidate.reads.includes(key));
        const readDimensions = read.reduce((sum, one) => sum + (sizes.get(one) as Sizes).dimensions, 0);
        sizes.set(candidate, { ...(await sizesOf(candidate, options)), readDimensions });
      }
    return new MemoryBudget(bytesMax, sizes);
  }

  /** As many of the threads as fit: each holds the model. Of a candidate that fits. */
  threadsOf(candidate: Candidate, sampled: Sampled, threads: number): number {
    if (this.#bytesMax === null) return threads;
    const sizes = this.#sizes.get(candidate) as Sizes;
    const left = this.#bytesMax - candidateBytes(candidate.definition, sampled, sizes);
    return Math.min(threads, 1 + Math.max(0, Math.floor(left / furtherThreadBytes(sizes))));
  }

  /** At most `asked` records whose comparison fits. Throws `usage` where not even 40 do. */
  recordsMax(asked: number, { queries }: { readonly queries: number }): number {
    if (this.#bytesMax === null) return asked;
    const comparison = {
      queries,
      spaces: new Set(this.#sizes.keys().map(({ space }) => space)).size,
      dimensions: Math.max(...this.#sizes.values().map(({ dimensions }) => dimensions)),
    };
    const fitting = recordsThatFit(this.#bytesMax, { recordsMax: asked, recordsMin }, comparison);
    if (fitting !== null) return fitting;
    throw new MedleyError(
      "usage",
      `${megabytesOf(this.#bytesMax)} MB of memory don't do: the process alone takes about ${megabytesOf(processBytes)}`,
      { mend: "give more with --memory" },
    );
  }

  /** Throws `usage` where none fits. */
  partition(
    candidates: readonly Candidate[],
    sampled: Sampled,
  ): { readonly fitting: readonly Candidate[]; readonly skipped: readonly Skipped[] } {
    const bytesMax = this.#bytesMax;
    if (bytesMax === null) return { fitting: candidates, skipped: [] };
    const needs = candidates.map((candidate) => {
      const bytes = candidateBytes(candidate.definition, sampled, this.#sizes.get(candidate) as Sizes);
      return { candidate, bytes, reason: "memory" as const };
    });
    // What is made of the segments of one that doesn't fit can't be measured either.
    const fits = ({ candidate: { reads }, bytes }: Skipped): boolean =>
      bytes <= bytesMax &&
      reads.every((read) => needs.some((one) => one.candidate.key === read && fits(one)));
    const fitting = needs.filter(fits).map(({ candidate }) => candidate);
    const skipped = needs.filter((need) => !fits(need));
    if (fitting.length > 0) return { fitting, skipped };
    const least = Math.min(...needs.map(({ bytes }) => bytes));
    throw new MedleyError(
      "usage",
      `no candidate fits in ${megabytesOf(bytesMax)} MB of memory: the smallest takes about ${megabytesOf(least)}`,
      { mend: "give more with --memory, or draw fewer records with --records" },
    );
  }
}

/** Whole ones, upwards. */
export function megabytesOf(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
