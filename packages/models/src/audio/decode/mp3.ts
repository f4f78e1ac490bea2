import { MPEGDecoder } from "mpg123-decoder";
import { type Block, ClipError, checkFormat, decoding } from "./block.ts";

interface FrameHeader {
  readonly sampleRate: number;
  readonly byteLength: number;
  /** Bytes of the header and the side information; a Xing or Info tag stands behind them. */
  readonly headBytes: number;
  /** What stays the same from frame to frame: version, layer, rate. */
  readonly stream: number;
}

/** Samples that the coding added at both ends. */
interface Padding {
  readonly start: number;
  readonly end: number;
}

/** A decoder's own delay: its filter bank gives this much before the first sample that was coded. */
const decoderDelaySamples = 529;
/** Bytes in a row that belong to no frame. With more, it is no MP3 file, or one with a hole. */
const strayBytesMax = 65_536;
/** Tags behind the last frame. */
const trailers = ["TAG", "APETAGEX", "LYRICSBEGIN"];

/**
 * The samples of an MPEG audio file, layer III (ISO 11172-3, 13818-3, and the 2.5 extension), whose first frame is at
 * `start` or soon after. Frames are found here and given to the decoder one by one, which bounds what it does with broken
 * input. LAME's tag says how many samples the coding added; they are cut off. Throws `ClipError`.
 */
export async function* decodeMp3(bytes: Uint8Array, start: number): AsyncGenerator<Block> {
  const decoder = new MPEGDecoder({ enableGapless: false });
  await decoder.ready;
  try {
    const frames = framesOf(bytes, start);
    const { value: first } = frames.next();
    if (first === undefined) throw new ClipError("the MP3 file has no frame");
    const padding = readTag(first);
    if (padding === undefined) yield await decodeFrame(decoder, first);
    yield* trimmed(decodeFrames(decoder, frames), padding ?? { start: 0, end: 0 });
  } finally {
    decoder.free();
  }
}

async function* decodeFrames(decoder: MPEGDecoder, frames: Iterable<Uint8Array>): AsyncGenerator<Block> {
  for (const frame of frames) yield await decodeFrame(decoder, frame);
}

async function decodeFrame(decoder: MPEGDecoder, frame: Uint8Array): Promise<Block> {
  const { channelData, errors } = await decoding("MP3", () => decoder.decodeFrame(frame));
  if (errors.length > 0) throw new ClipError("an MP3 frame is damaged");
  const { sampleRate } = headerAt(frame, 0) as FrameHeader;
  checkFormat(channelData.length, sampleRate);
  return { sampleRate, channels: channelData };
}

function* framesOf(bytes: Uint8Array, start: number): Generator<Uint8Array> {
  let at = start;
  let stray = 0;
  while (at < bytes.length && !isTrailer(bytes, at)) {
    const header = headerAt(bytes, at);
    const end = at + (header?.byteLength ?? 0);
    if (header !== undefined && end > bytes.length) return; // Cut off in its last frame: up to there it is whole.
    // One header may be chance, two at the right distance are not.
    const isFrame =
      header !== undefined &&
      (stray === 0 || end === bytes.length || headerAt(bytes, end)?.stream === header.stream);
    if (isFrame) {
      yield bytes.subarray(at, end);
      at = end;
      stray = 0;
    } else {
      at++;
      stray++;
      if (stray > strayBytesMax) throw new ClipError(`the MP3 file has no frame from byte ${at - stray} on`);
    }
  }
}

function isTrailer(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 0x54 && bytes[at] !== 0x41 && bytes[at] !== 0x4c) return false;
  const text = Buffer.from(bytes.subarray(at, at + 11)).toString("latin1");
  return trailers.some((trailer) => text.startsWith(trailer));
}

const kilobits1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const kilobits2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const rates = [44_100, 48_000, 32_000];

/** A frame's header, or `undefined` where there is none of layer III with a length of its own ("free format"). */
function headerAt(bytes: Uint8Array, at: number): FrameHeader | undefined {
  if (at + 4 > bytes.length || bytes[at] !== 0xff) return undefined;
  const [second, third, fourth] = [bytes[at + 1], bytes[at + 2], bytes[at + 3]] as [number, number, number];
  const version = (second >> 3) & 3; // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5.
  if ((second & 0xe6) !== 0xe2 || version === 1) return undefined;
  const isFirst = version === 3;
  const kilobits = (isFirst ? kilobits1 : kilobits2)[third >> 4];
  const rate = rates[(third >> 2) & 3];
  if (kilobits === undefined || kilobits === 0 || rate === undefined) return undefined;
  const sampleRate = isFirst ? rate : version === 2 ? rate / 2 : rate / 4;
  const isMono = fourth >> 6 === 3;
  const byteLength = Math.floor(((isFirst ? 144 : 72) * kilobits * 1_000) / sampleRate) + ((third >> 1) & 1);
  const sideBytes = isFirst ? (isMono ? 17 : 32) : isMono ? 9 : 17;
  return {
    sampleRate,
    byteLength,
    headBytes: 4 + sideBytes,
    stream: (second & 0xfe) * 4 + ((third >> 2) & 3),
  };
}

/** Whether `bytes` begin with a frame of layer III. */
export function isMp3(bytes: Uint8Array): boolean {
  return headerAt(bytes, 0) !== undefined;
}

/** The first frame's tag; such a frame holds no sound. Without LAME's part nothing is cut. */
function readTag(frame: Uint8Array): Padding | undefined {
  const { headBytes } = headerAt(frame, 0) as FrameHeader;
  const name = Buffer.from(frame.subarray(headBytes, headBytes + 4)).toString("latin1");
  if (name !== "Xing" && name !== "Info") return undefined;
  const flags = frame[headBytes + 7] ?? 0;
  const optional = (flags & 1 ? 4 : 0) + (flags & 2 ? 4 : 0) + (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0);
  const delays = frame.subarray(headBytes + 8 + optional + 21, headBytes + 8 + optional + 24);
  if (delays.length < 3) return { start: 0, end: 0 };
  const [a, b, c] = delays as unknown as [number, number, number];
  const [start, end] = [(a << 4) | (b >> 4), ((b & 15) << 8) | c];
  if (start === 0 && end === 0) return { start, end };
  return { start: start + decoderDelaySamples, end: Math.max(0, end - decoderDelaySamples) };
}

/** The blocks without their first and last samples: as much as may be the end is held back. */
async function* trimmed(blocks: AsyncIterable<Block>, padding: Padding): AsyncGenerator<Block> {
  const held: Block[] = [];
  let heldSamples = 0;
  let toSkip = padding.start;
  for await (const block of blocks) {
    const skipped = Math.min(toSkip, samplesOf(block));
    toSkip -= skipped;
    held.push(part(block, skipped, samplesOf(block)));
    heldSamples += samplesOf(block) - skipped;
    while (held.length > 0 && heldSamples - samplesOf(held[0] as Block) >= padding.end) {
      const ready = held.shift() as Block;
      heldSamples -= samplesOf(ready);
      yield ready;
    }
  }
  let left = heldSamples - padding.end;
  for (const block of held) {
    yield part(block, 0, Math.max(0, Math.min(left, samplesOf(block))));
    left -= samplesOf(block);
  }
}

function samplesOf(block: Block): number {
  return block.channels[0]?.length ?? 0;
}

function part(block: Block, from: number, to: number): Block {
  return { ...block, channels: block.channels.map((samples) => samples.subarray(from, to)) };
}
