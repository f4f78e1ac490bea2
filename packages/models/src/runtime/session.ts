import type { InferenceSession } from "onnxruntime-node";
import type { Device } from "./device.ts";
import type { Rows } from "./rows.ts";

/** Whether an input is a record's or a search's: some models put different prompts before them. */
export type Role = "passage" | "query";

/** One row per input; `failures` names those that can't be read (their length is 0). */
export interface Prepared extends Rows {
  readonly failures: readonly ({ readonly index: number } & InputFailure)[];
}

export interface InputFailure {
  readonly message: string;
  readonly mend?: string;
}

export interface RunAnswer {
  /** Unit-length vectors end to end, one per row. */
  readonly vectors: Float32Array;
  /** Rows whose vector is not finite or all zero. */
  readonly failed: readonly number[];
  /** What the model computed: rows times the longest. */
  readonly paddedValues: number;
  readonly usefulValues: number;
}

/**
 * A model loaded into a session thread. Its calls block the thread: never use it on a main thread. `Input` is what
 * the encoder hands over: a text, or the bytes of a picture or clip.
 *
 * Opening one throws `model_damaged` where a file changed since it was pinned, `model_unsupported` where it can't be run;
 * it runs one small input first, so that a model whose output is not as its files say is refused before it is used.
 */
export interface Session<Input = unknown> {
  /** Tokenises, decodes, resizes: the row of each input as `run` takes it. One bad input does not fail its neighbours. */
  prepare(inputs: readonly Input[], role: Role): Promise<Prepared>;
  /** One batch; every length is at least 1. Throws where the batch can't be run: the caller halves it. */
  run(rows: Rows): Promise<RunAnswer>;
}

/**
 * One thread, one core: on a shared machine two sessions of one thread beat one session of two. Spinning would burn
 * a core that other work needs. fp32 kernels give an input the same vector in any batch.
 */
export const sessionOptions: InferenceSession.SessionOptions = {
  executionProviders: ["cpu"],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  // What it would print is in the error that it throws, and may quote what is in a record.
  logSeverityLevel: 4,
  extra: { session: { intra_op: { allow_spinning: "0" } } },
};

/** On a GPU what it can't do runs on the CPU: some nodes that only count or shape. */
export function sessionOptionsOf(device: Device): InferenceSession.SessionOptions {
  return { ...sessionOptions, executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"] };
}
