import type { Encoder } from "../encoder.ts";
import { MedleyError } from "../errors.ts";
import { identityOf } from "../identity.ts";
import { fail, type Result, succeed } from "../result.ts";

/** Why a value or a query has no segment: what is wrong, and what to do about it. */
export interface Problem {
  readonly message: string;
  readonly mend?: string;
}

export type Segment = Result<Float32Array, Problem>;

/** An encoder as two functions of one value each. */
export interface PureForm<Value, Query> {
  /** Name of the space, for messages. */
  readonly space: string;
  readonly dimensions: number;
  /** All that decides the vectors of records, and nothing else; hashed to the encoder's identity. */
  readonly decides: { readonly encoder: string; readonly algorithm: number } & Readonly<
    Record<string, unknown>
  >;
  segment(value: Value): Segment;
  querySegment(query: Query): Segment;
}

/** An `Encoder` that needs no model and no I/O: it answers in a resolved promise. */
export function pureEncoder<Value, Query>(form: PureForm<Value, Query>): Encoder<Value, Query> {
  const located = (problem: Problem) => `space "${form.space}": ${problem.message}`;
  return {
    dimensions: form.dimensions,
    identity: identityOf(form.decides),
    usesModel: false,
    async encode(values, signal) {
      signal?.throwIfAborted();
      return values.map((value) => {
        const segment = form.segment(value);
        if (segment.ok) return succeed(segment.value);
        const { mend } = segment.failure;
        const message = located(segment.failure);
        return fail({ code: "encoder_failed" as const, message, ...(mend === undefined ? {} : { mend }) });
      });
    },
    async encodeQuery(query, signal) {
      signal?.throwIfAborted();
      const segment = form.querySegment(query);
      if (segment.ok) return segment.value;
      const { mend } = segment.failure;
      throw new MedleyError("query_invalid", located(segment.failure), mend === undefined ? {} : { mend });
    },
  };
}
