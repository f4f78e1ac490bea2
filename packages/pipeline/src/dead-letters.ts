import {
  type DeadLetter,
  eventOfEnvelope,
  isEvent,
  MedleyError,
  opKey,
  type RecordEnvelope,
  type Stage,
} from "@medley/core";

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
    payload: Buffer.from(JSON.stringify(inputOf(envelope))),
    source: envelope.source,
    trace: envelope.trace ?? null,
  };
}

/** What it would have to come as to be this envelope again. */
function inputOf(envelope: RecordEnvelope): object {
  if (!isEvent(envelope)) return { id: envelope.id, [opKey]: envelope.op, ...envelope.fields };
  const { user, eventId, item, kind, atMs } = eventOfEnvelope(envelope);
  return { [opKey]: envelope.op, user, item, kind, at: atMs, id: eventId };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
