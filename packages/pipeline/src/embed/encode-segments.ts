import { strict as assert } from "node:assert";
import { type EncodeResult, type Encoder, MedleyError } from "@medley/core";
import { bisect } from "../bisect.ts";

/** An input to encode and where its segment goes. */
export interface SegmentJob {
  /** Read when it is encoded: segments of other spaces that it holds are known by then. */
  readonly input: unknown;
  /** Called once on success. */
  readonly accept: (segment: Float32Array) => void;
  /** Called once where the input can't be encoded. */
  readonly refuse: (error: MedleyError) => void;
}

export interface EncodeOptions {
  readonly space: string;
  readonly signal: AbortSignal;
  /** Treat failures that look passing as the input's own, since they came back often: isolates what kills an encoder. */
  readonly isolatePassing: boolean;
  /** While isolating, refuse also where all inputs fail alike: there is no neighbour to show whether the encoder works. */
  readonly givesUp: boolean;
}

// An encoder that was away for a moment makes an input look like one that breaks it. So many more times must it fail, each
// time right after a neighbour did not.
const confirmations = 2;

/**
 * Encodes the jobs of one space. Throws a retryable error where the encoder is unavailable, or for all jobs alike while
 * isolating (then it is the encoder that fails, not an input), unless it is to give up.
 */
export async function encodeSegments(
  encoder: Encoder,
  jobs: readonly SegmentJob[],
  options: EncodeOptions,
): Promise<void> {
  const { signal, isolatePassing, givesUp, space } = options;
  /** One of a run that did not fail. */
  let witness: readonly SegmentJob[] = [];
  const run = async (part: readonly SegmentJob[]) => {
    const results = await encode(encoder, part, signal);
    for (const [index, result] of results.entries())
      settle(encoder, part[index] as SegmentJob, result, space);
    witness = part.slice(0, 1);
  };
  const isPassing = isolatePassing ? () => false : undefined;
  let failed = await bisect(jobs, run, isPassing);
  if (isolatePassing && failed.length > 0 && witness.length === 0 && !givesUp) throw failed[0]?.error;
  for (let again = 0; again < confirmations; again += 1) {
    if (!isolatePassing || failed.length === 0 || witness.length === 0) break;
    await encode(encoder, witness, signal);
    const suspects = failed.map(({ item }) => item);
    failed = await bisect(suspects, run, isPassing);
  }
  for (const { item, error } of failed) {
    item.refuse(inSpace(space, error instanceof Error ? error.message : String(error)));
  }
}

/** Throws `encoder_unavailable` where the encoder says so of any of them. */
async function encode(
  encoder: Encoder,
  jobs: readonly SegmentJob[],
  signal: AbortSignal,
): Promise<readonly EncodeResult[]> {
  const results = await encoder.encode(
    jobs.map((job) => job.input),
    signal,
  );
  assert.equal(results.length, jobs.length, "one result per input");
  const passing = results.find((result) => !result.ok && result.failure.code === "encoder_unavailable");
  if (passing !== undefined && !passing.ok)
    throw new MedleyError("encoder_unavailable", passing.failure.message);
  return results;
}

function settle(encoder: Encoder, job: SegmentJob, result: EncodeResult, space: string): void {
  if (result.ok) {
    accept(encoder, job, result.value, space);
    return;
  }
  const { failure } = result;
  job.refuse(inSpace(space, failure.message, "mend" in failure ? failure.mend : undefined));
}

function accept(encoder: Encoder, job: SegmentJob, segment: Float32Array, space: string): void {
  assert.equal(segment.length, encoder.dimensions, `segment of space ${space}`);
  if (segment.every(Number.isFinite)) job.accept(segment);
  else job.refuse(inSpace(space, "the encoder gave NaN or Infinity"));
}

function inSpace(space: string, message: string, mend?: string): MedleyError {
  return new MedleyError(
    "encoder_failed",
    `space "${space}": ${message}`,
    mend === undefined ? {} : { mend },
  );
}
