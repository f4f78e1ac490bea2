import { type Block, ClipError, checkFormat } from "./block.ts";

const formats = { integer: 1, float: 3, extensible: 0xfffe } as const;
/** Subformats of WAVE_FORMAT_EXTENSIBLE are format tags in this GUID, behind its first two bytes. */
const subformatTail = "000000001000800000aa00389b71";
const framesPerBlock = 16_384;

interface WavFormat {
  readonly tag: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly bytesPerFrame: number;
  readonly bitsPerSample: number;
}

type ReadSample = (view: DataView, at: number) => number;

/** Linear PCM, little-endian. 8 bits are unsigned, all others signed or float. */
const readers: Readonly<Record<string, ReadSample>> = {
  "integer 8": (view, at) => (view.getUint8(at) - 128) / 128,
  "integer 16": (view, at) => view.getInt16(at, true) / 2 ** 15,
  "integer 24": (view, at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 2 ** 23,
  "integer 32": (view, at) => view.getInt32(at, true) / 2 ** 31,
  "float 32": (view, at) => view.getFloat32(at, true),
  "float 64": (view, at) => view.getFloat64(at, true),
};

/**
 * The samples of a RIFF WAVE file (Microsoft, "Multiple channel audio data and WAVE files"). Chunks are walked within
 * the bytes that are there; nothing is allocated by what a header says. Throws `ClipError`.
 */
export function* decodeWav(bytes: Uint8Array): Generator<Block> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: WavFormat | undefined;
  for (const chunk of chunksOf(view)) {
    if (chunk.id === "fmt ") format = readFormat(view, chunk);
    if (chunk.id !== "data") continue;
    if (format === undefined) throw new ClipError("the WAV file has its data before its format");
    yield* readFrames(view, chunk, format);
    return;
  }
  throw new ClipError("the WAV file has no data");
}

interface Chunk {
  readonly id: string;
  readonly start: number;
  readonly byteLength: number;
}

function* chunksOf(view: DataView): Generator<Chunk> {
  const riffBytes = view.byteLength >= 8 ? view.getUint32(4, true) : 0;
  let at = 12;
  while (at + 8 <= view.byteLength) {
    const id = String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, 4));
    const declared = view.getUint32(at + 4, true);
    const there = view.byteLength - at - 8;
    // What is written to a pipe can't go back to its header: its length then says "unknown".
    const open = id === "data" && (declared >= 0xffffff00 || (declared === 0 && riffBytes === 0));
    if (declared > there && !open) {
      const name = id === "fmt " || id === "data" ? id.trim() : "next"; // Any other may be anything.
      throw new ClipError(
        `the WAV file breaks off: its ${name} chunk says ${declared} bytes, ${there} are there`,
      );
    }
    const byteLength = open ? there : declared;
    yield { id, start: at + 8, byteLength };
    at += 8 + byteLength + (byteLength % 2);
  }
}

function readFormat(view: DataView, { start, byteLength }: Chunk): WavFormat {
  if (byteLength < 16) throw new ClipError("the WAV file's format chunk is too short");
  let tag = view.getUint16(start, true);
  if (tag === formats.extensible) {
    if (byteLength < 40) throw new ClipError("the WAV file's extensible format is too short");
    const guid = new Uint8Array(view.buffer, view.byteOffset + start + 26, 14);
    tag = Buffer.from(guid).toString("hex") === subformatTail ? view.getUint16(start + 24, true) : -1;
  }
  const channels = view.getUint16(start + 2, true);
  const sampleRate = view.getUint32(start + 4, true);
  const bytesPerFrame = view.getUint16(start + 12, true);
  const bitsPerSample = view.getUint16(start + 14, true);
  checkFormat(channels, sampleRate);
  if (bytesPerFrame !== (channels * bitsPerSample) / 8) {
    throw new ClipError(
      `the WAV file has ${channels} channels of ${bitsPerSample} bits in ${bytesPerFrame} bytes, which does not fit`,
    );
  }
  return { tag, channels, sampleRate, bytesPerFrame, bitsPerSample };
}

function* readFrames(view: DataView, chunk: Chunk, format: WavFormat): Generator<Block> {
  const { channels, sampleRate, bytesPerFrame, bitsPerSample, tag } = format;
  const kind = tag === formats.integer ? "integer" : tag === formats.float ? "float" : `format ${tag}`;
  const read = readers[`${kind} ${bitsPerSample}`];
  if (read === undefined) {
    throw new ClipError(
      `the WAV file holds ${kind} samples of ${bitsPerSample} bits`,
      "convert it to PCM of 8, 16, 24 or 32 bits, or float of 32 or 64",
    );
  }
  const frames = Math.floor(chunk.byteLength / bytesPerFrame);
  for (let from = 0; from < frames; from += framesPerBlock) {
    const count = Math.min(framesPerBlock, frames - from);
    yield {
      sampleRate,
      channels: Array.from({ length: channels }, (_, channel) => {
        const samples = new Float32Array(count);
        let at = chunk.start + from * bytesPerFrame + (channel * bitsPerSample) / 8;
        for (let i = 0; i < count; i++, at += bytesPerFrame) samples[i] = read(view, at);
        return samples;
      }),
    };
  }
}
