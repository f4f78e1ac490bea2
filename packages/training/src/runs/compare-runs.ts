import { readdir } from "node:fs/promises";
import { MedleyError } from "@medley/core";
import { type Run, readRun } from "./run-folder.ts";
import { flattened, isRunId } from "./run-record.ts";

export interface RunList {
  /** The newest first. */
  readonly runs: readonly Run[];
  /** Ids of runs whose files can't be read. */
  readonly damaged: readonly string[];
}

/** Two runs side by side. */
export interface RunComparison {
  /** By name; null where a run has none of it. `difference` is b - a. */
  readonly metrics: readonly {
    readonly name: string;
    readonly a: number | null;
    readonly b: number | null;
    readonly difference: number | null;
  }[];
  /** Those that differ, by dotted name; undefined where a run has none of it. */
  readonly parameters: readonly { readonly name: string; readonly a: unknown; readonly b: unknown }[];
  /** Whether both saw the same rows, parted in the same way; if not, metrics do not compare. */
  readonly isSameData: boolean;
}

/** The runs below `root`, of one model or of all; a folder that isn't there has none. */
export async function listRuns(root: string, { model }: { readonly model?: string } = {}): Promise<RunList> {
  const names = await readdir(root).catch((error) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const [runs, damaged]: [Run[], string[]] = [[], []];
  for (const id of names.filter(isRunId).sort()) {
    try {
      const run = await readRun(root, id);
      if (model === undefined || run.record.model === model) runs.push(run);
    } catch (error) {
      if (!(error instanceof MedleyError)) throw error;
      if (error.code === "run_damaged") damaged.push(id);
    }
  }
  runs.sort((a, b) => Date.parse(b.record.startedAt) - Date.parse(a.record.startedAt));
  return { runs, damaged };
}

/** Metrics of both side by side, and the parameters in which they differ, each sorted by name. */
export function compareRuns(a: Run, b: Run): RunComparison {
  const [settingsA, settingsB] = [settingsOf(a), settingsOf(b)];
  const names = new Set([...settingsA.keys(), ...settingsB.keys()]);
  const metricNames = new Set([...Object.keys(a.metrics), ...Object.keys(b.metrics)]);
  return {
    metrics: [...metricNames].sort().map((name) => {
      const [inA, inB] = [a.metrics[name] ?? null, b.metrics[name] ?? null];
      return { name, a: inA, b: inB, difference: inA === null || inB === null ? null : inB - inA };
    }),
    parameters: [...names]
      .sort()
      .filter((name) => settingsA.get(name) !== settingsB.get(name))
      .map((name) => ({ name, a: settingsA.get(name), b: settingsB.get(name) })),
    isSameData:
      a.record.data.sha256 === b.record.data.sha256 &&
      JSON.stringify(a.record.split) === JSON.stringify(b.record.split),
  };
}

function settingsOf({ record, parameters }: Run): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>([["kind", record.kind], ["seed", record.seed], ...flattened(parameters)]);
}
