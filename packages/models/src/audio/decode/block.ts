/** Samples of a clip as its decoder gives them: at most some thousand at a time, so a long clip is never held whole. */
export interface Block {
  readonly sampleRate: number;
  /** One array per channel, all of one length; full scale is -1 to 1. */
  readonly channels: readonly Float32Array[];
}

/** Decoders give blocks one by one; who has enough stops asking, which ends and frees the decoder. */
export type Blocks = Iterable<Block> | AsyncIterable<Block>;

/** What is wrong with one clip. It is that input's failure, never its neighbours'; the message quotes no content. */
export class ClipError extends Error {
  readonly mend: string;

  constructor(message: string, mend = "save the clip again with another program, as WAV, FLAC, MP3 or Ogg") {
    super(message);
    this.name = "ClipError";
    this.mend = mend;
  }
}

/** Bounds of every format, checked before a decoder is given them. */
export const channelsMax = 8;
export const sampleRateMin = 4_000;
export const sampleRateMax = 384_000;

export function checkFormat(channels: number, sampleRate: number): void {
  if (channels < 1 || channels > channelsMax) {
    throw new ClipError(`the clip has ${channels} channels; 1 to ${channelsMax} are read`);
  }
  if (!(sampleRate >= sampleRateMin && sampleRate <= sampleRateMax)) {
    throw new ClipError(
      `the clip has ${sampleRate} samples a second; ${sampleRateMin} to ${sampleRateMax} are read`,
    );
  }
}

/**
 * Calls a WebAssembly decoder, which traps or overruns its buffers on some broken input: its memory is its own, so
 * that is the clip's fault and nothing else's.
 */
export async function decoding<Value>(format: string, call: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await silenced(call);
  } catch (error) {
    // A trap is a WebAssembly.RuntimeError, a class that Node's types leave out.
    const isFault = error instanceof RangeError || (error as Error).name === "RuntimeError";
    if (isFault) throw new ClipError(`the ${format} data is damaged`);
    throw error;
  }
}

/** The decoders print what they also return; nothing else of this thread runs meanwhile. */
function silenced<Value>(call: () => Value): Value {
  const print = console.error;
  console.error = () => undefined;
  try {
    return call();
  } finally {
    console.error = print;
  }
}
