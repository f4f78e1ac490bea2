import { type DeadLetter, MedleyError, opKey, type RecordEnvelope, type Stage } from "@medley/core";

/** A validated record that a later stage could not process, whole. */
export function deadLetterOf(
  envelope: RecordEnvelope,
  where: { collection: string; stage: Stage; runId: string | null },
  error: unknown,
): DeadLetter {
  const known = error instanceof MedleyError;
  return {
    ...where,
    recordId: envelope.id,
    version: envelope.version,
    code: known ? error.code : "encoder_failed",
    reason: known && error.mend !== undefined ? `${error.message}; ${error.mend}` : messageOf(error),
    payload: Buffer.from(JSON.stringify({ id: envelope.id, [opKey]: envelope.op, ...envelope.fields })),
    source: envelope.source,
  };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
