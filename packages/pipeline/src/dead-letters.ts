import { type DeadLetter, MedleyError, opKey, type RecordEnvelope, type Stage } from "@medley/core";

/** Of which packet, at which stage and delivery. */
export interface GivenUp {
  readonly collection: string;
  readonly stage: Stage;
  readonly runId: string | null;
  readonly attempt: number;
}

/** A validated record that a later stage could not process, whole. */
export function deadLetterOf(envelope: RecordEnvelope, where: GivenUp, error: unknown): DeadLetter {
  const known = error instanceof MedleyError;
  return {
    ...where,
    recordId: envelope.id,
    version: envelope.version,
    code: known ? error.code : "encoder_failed",
    reason: known && error.mend !== undefined ? `${error.message}; ${error.mend}` : messageOf(error),
    payload: Buffer.from(JSON.stringify({ id: envelope.id, [opKey]: envelope.op, ...envelope.fields })),
    source: envelope.source,
    trace: envelope.trace ?? null,
  };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
