import { type Block, ClipError, checkFormat } from "./decode/block.ts";
import { decodeClip } from "./decode/decode.ts";
import { Resampler } from "./resample.ts";

/** Below full scale by 120 dB: a clip that moves less holds no sound, only rounding. */
const silencePeakToPeakMax = 1e-6;

/**
 * A clip's file as samples of one channel at `sampleRate`: channels are mixed to their mean, and what is beyond
 * `secondsMax` is neither decoded nor kept. A clip without samples, or one that is silent throughout, says nothing: it
 * gives no samples. Throws `ClipError` for a clip that can't be read.
 */
export async function readClip(
  bytes: Uint8Array,
  options: { sampleRate: number; secondsMax: number },
): Promise<Float32Array> {
  const { sampleRate, secondsMax } = options;
  const samplesMax = Math.floor(secondsMax * sampleRate);
  const parts: Float32Array[] = [];
  let samples = 0;
  let read = 0;
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  let resampler: Resampler | undefined;
  let clipRate: number | undefined;
  const keep = (part: Float32Array): void => {
    parts.push(part);
    samples += part.length;
  };
  for await (const block of decodeClip(bytes)) {
    checkFormat(block.channels.length, block.sampleRate);
    clipRate ??= block.sampleRate;
    if (block.sampleRate !== clipRate) throw new ClipError("the clip changes its sampling rate on the way");
    const mono = mixed(block);
    if (mono.length === 0) continue; // All of it was the coding's padding.
    const [least, most] = range(mono);
    if (!Number.isFinite(most - least)) throw notFinite(mono, read);
    lowest = Math.min(lowest, least);
    highest = Math.max(highest, most);
    read += mono.length;
    if (clipRate !== sampleRate) resampler ??= new Resampler({ from: clipRate, to: sampleRate });
    keep(resampler === undefined ? mono : resampler.push(mono));
    if (samples >= samplesMax) break;
  }
  if (!(highest - lowest >= silencePeakToPeakMax)) return new Float32Array(0);
  if (resampler !== undefined && samples < samplesMax) keep(resampler.end());
  return joined(parts, Math.min(samples, samplesMax));
}

/** The least and the most; NaN for both where a sample is NaN. */
function range(samples: Float32Array): [number, number] {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i] as number;
    least = Math.min(least, sample); // Math.min keeps a NaN, a comparison would not.
    most = Math.max(most, sample);
  }
  return [least, most];
}

function notFinite(samples: Float32Array, before: number): ClipError {
  const at = samples.findIndex((sample) => !Number.isFinite(sample));
  return new ClipError(`the clip's sample ${before + at} is not a finite number`);
}

/** The mean of all channels. */
function mixed({ channels }: Block): Float32Array {
  const [first] = channels as [Float32Array];
  if (channels.length === 1) return first;
  const mono = new Float32Array(first.length);
  for (let i = 0; i < mono.length; i++) {
    let sum = 0;
    for (const channel of channels) sum += channel[i] as number;
    mono[i] = sum / channels.length;
  }
  return mono;
}

function joined(parts: readonly Float32Array[], length: number): Float32Array {
  const whole = new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    const kept = part.subarray(0, length - at);
    whole.set(kept, at);
    at += kept.length;
  }
  return whole;
}
