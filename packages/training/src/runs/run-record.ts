import { randomBytes } from "node:crypto";
import type { DataFingerprint } from "../data/fingerprint.ts";
import type { SplitPart } from "../data/parts.ts";
import type { SplitBy } from "../data/split.ts";

export type RunState = "running" | "done" | "interrupted" | "failed";

/** Settings of a run, as JSON has them. */
export type Parameter =
  | string
  | number
  | boolean
  | null
  | readonly Parameter[]
  | { readonly [name: string]: Parameter };
export type Parameters = Readonly<Record<string, Parameter>>;

/** What is known when a run starts. */
export interface RunStart {
  /** What is trained: `films.plot`, collection and space. */
  readonly model: string;
  /** Of the artefact: `words`. */
  readonly kind: string;
  readonly seed: number;
  readonly data: DataFingerprint;
  /** How the rows were parted, and how many there are in each. */
  readonly split: { readonly by: SplitBy } & Readonly<Record<SplitPart, number>>;
  readonly parameters: Parameters;
}

/** `run.json`: what a run is and how far it came. Times are ISO 8601, in UTC. */
export interface RunRecord extends Omit<RunStart, "parameters"> {
  readonly format: "medley-run";
  readonly formatVersion: 1;
  readonly id: string;
  readonly state: RunState;
  readonly startedAt: string;
  /** Null while it runs. */
  readonly endedAt: string | null;
}

/** Like `2026-11-24-1f0c9a2e`: sorted by day, unique without asking anyone. */
export function newRunId(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 10)}-${randomBytes(4).toString("hex")}`;
}

const runId = /^\d{4}-\d{2}-\d{2}-[0-9a-f]{8}$/;

/** Whether a folder's name is that of a run. */
export function isRunId(name: string): boolean {
  return runId.test(name);
}

/** `{"optimiser": {"rate": 1}}` as `{"optimiser.rate": 1}`; lists stay whole, as JSON. */
export function flattened(parameters: Parameters): ReadonlyMap<string, string | number | boolean | null> {
  const flat = new Map<string, string | number | boolean | null>();
  const visit = (value: Parameter, name: string) => {
    if (value === null || typeof value !== "object") flat.set(name, value);
    else if (Array.isArray(value)) flat.set(name, JSON.stringify(value));
    else
      for (const [part, inner] of Object.entries(value)) visit(inner, name === "" ? part : `${name}.${part}`);
  };
  visit(parameters, "");
  return flat;
}
