import { strict as assert } from "node:assert";
import { type Encoder, type FieldValue, MedleyError } from "@medley/core";
import { bisect } from "../bisect.ts";

/** An input to encode and where its segment goes. */
export interface SegmentJob {
  readonly input: FieldValue;
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

/**
 * Encodes the jobs of one space. Throws a retryable error where the encoder is unavailable, or for all jobs alike while
 * isolating (then it is the encoder that fails, not an input), unless it is to give up.
 */
export async function encodeSegments(
  encoder: Encoder,
  jobs: readonly SegmentJob[],
  options: EncodeOptions,
): Promise<void> {
  let succeeded = 0;
  const run = async (part: readonly SegmentJob[]) => {
    const results = await encoder.encode(
      part.map((job) => job.input),
      options.signal,
    );
    assert.equal(results.length, part.length, "one result per input");
    const passing = results.find((result) => !result.ok && result.failure.code === "encoder_unavailable");
    if (passing !== undefined && !passing.ok)
      throw new MedleyError("encoder_unavailable", passing.failure.message);
    for (const [index, result] of results.entries()) {
      const job = part[index] as SegmentJob;
      if (result.ok) accept(encoder, job, result.value, options.space);
      else
        job.refuse(
          inSpace(
            options.space,
            result.failure.message,
            "mend" in result.failure ? result.failure.mend : undefined,
          ),
        );
    }
    succeeded += part.length;
  };
  const isPassing = options.isolatePassing ? () => false : undefined;
  const failed = await bisect(jobs, run, isPassing);
  const allAlike = failed.length > 0 && succeeded === 0;
  if (allAlike && options.isolatePassing && !options.givesUp) throw failed[0]?.error;
  for (const { item, error } of failed) {
    item.refuse(inSpace(options.space, error instanceof Error ? error.message : String(error)));
  }
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
