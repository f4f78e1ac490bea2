import type { ErrorCode } from "@medley/core";
import type { Model } from "../artefact/model.ts";
import type { Device } from "./device.ts";
import type { Rows } from "./rows.ts";
import type { InputFailure, Prepared, RunAnswer } from "./session.ts";

/** What a session thread can be asked. A model is named by its identity; `open` comes before its other jobs. */
export type Job =
  /** Answered as soon as the thread runs. */
  | { readonly kind: "start" }
  | { readonly kind: "open"; readonly model: Model; readonly device: Device }
  /** One input, prepared and run in one go: a search waits for one turn, not for two. */
  | { readonly kind: "query"; readonly model: string; readonly input: unknown }
  /** The same for a record's, where batches gain nothing: its row then never leaves the thread. */
  | { readonly kind: "embed"; readonly model: string; readonly input: unknown }
  | { readonly kind: "prepare"; readonly model: string; readonly inputs: readonly unknown[] }
  | { readonly kind: "run"; readonly model: string; readonly rows: Rows };

export interface Answers {
  start: null;
  open: null;
  query: InputAnswer;
  embed: InputAnswer;
  prepare: Prepared;
  run: RunAnswer;
}

/** What came of one input: it says nothing, can't be read, or was run. */
export type InputAnswer =
  | { readonly kind: "empty" }
  | { readonly kind: "unreadable"; readonly failure: InputFailure }
  | ({ readonly kind: "ran" } & RunAnswer);

export interface Request {
  readonly id: number;
  readonly job: Job;
}

export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: Answers[Job["kind"]] }
  | { readonly id: number; readonly ok: false; readonly failure: Failure };

/** A `MedleyError` as it travels between threads. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly mend: string | undefined;
}
