import type { ErrorCode } from "@medley/core";
import type { TextModel } from "../artefact/text-model.ts";
import type { TokenLists } from "../text/tokenise.ts";

/** What a session thread can be asked. A model is named by its identity; `open` comes before its other jobs. */
export type Job =
  | { readonly kind: "open"; readonly model: TextModel }
  /** One query, tokenised and run in one go: a search waits for one turn, not for two. */
  | { readonly kind: "query"; readonly model: string; readonly text: string; readonly prompt: string }
  | { readonly kind: "tokenise"; readonly model: string; readonly texts: readonly string[] }
  | { readonly kind: "run"; readonly model: string; readonly tokens: TokenLists };

export interface TokeniseAnswer extends TokenLists {
  readonly failures: readonly { readonly index: number; readonly message: string }[];
}

export interface RunAnswer {
  /** Unit-length vectors end to end, one per text. */
  readonly vectors: Float32Array;
  /** Texts whose vector is not finite or all zero. */
  readonly failed: readonly number[];
  /** What the model computed: texts times the longest. */
  readonly paddedTokens: number;
  readonly usefulTokens: number;
}

export interface Answers {
  open: null;
  /** `null`: the query has no tokens. */
  query: RunAnswer | null;
  tokenise: TokeniseAnswer;
  run: RunAnswer;
}

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
