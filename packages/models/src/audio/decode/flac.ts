import { BitReader } from "./bit-reader.ts";
import { type Block, ClipError, checkFormat } from "./block.ts";
import { crcTable } from "./crc.ts";
import { readSubframe } from "./flac-subframe.ts";

interface StreamInfo {
  readonly sampleRate: number;
  readonly channels: number;
  readonly bitsPerSample: number;
  /** 0: not known. */
  readonly samples: number;
  /** Where the frames begin. */
  readonly end: number;
}

interface FrameHeader {
  readonly samples: number;
  readonly sampleRate: number;
  /** 0 to 7: that many channels and one, each for itself; 8 left and side, 9 side and right, 10 mid and side. */
  readonly assignment: number;
  readonly bitsPerSample: number;
}

const crc8 = crcTable({ bits: 8, polynomial: 0x07 });
const crc16 = crcTable({ bits: 16, polynomial: 0x8005 });

/**
 * The samples of a FLAC file (RFC 9639), frame by frame; both checksums of each frame are checked. Our own since the
 * WebAssembly builds at hand look for a frame's end by trying, in quadratic time on hostile bytes, and scale samples of 12
 * and 20 bits by chance. Throws `ClipError`.
 */
export function* decodeFlac(bytes: Uint8Array): Generator<Block> {
  const info = readStreamInfo(bytes);
  checkFormat(info.channels, info.sampleRate);
  let at = info.end;
  let samples = 0;
  while (info.samples === 0 ? hasFrame(bytes, at) : samples < info.samples) {
    const { block, end } = readFrame(bytes, at, info);
    yield block;
    samples += block.channels[0]?.length ?? 0;
    at = end;
  }
}

/** Whether more follows in a stream of unknown length: after its last frame there may be an ID3v1 tag. */
function hasFrame(bytes: Uint8Array, at: number): boolean {
  if (at >= bytes.length) return false;
  return !(bytes.length - at === 128 && String.fromCharCode(...bytes.subarray(at, at + 3)) === "TAG");
}

function readStreamInfo(bytes: Uint8Array): StreamInfo {
  const reader = new BitReader(bytes, { start: 4, format: "FLAC" });
  if (reader.bits(8) % 128 !== 0 || reader.bits(24) !== 34) {
    throw new ClipError("the FLAC file does not begin with its stream's properties");
  }
  reader.bits(16 + 16); // Block sizes; each frame says its own.
  reader.bits(24 + 24);
  const info = {
    sampleRate: reader.bits(20),
    channels: reader.bits(3) + 1,
    bitsPerSample: reader.bits(5) + 1,
    samples: reader.bits(36),
  };
  let isLast = (bytes[4] as number) >= 128;
  let end = 4 + 4 + 34;
  while (!isLast) {
    const block = new BitReader(bytes, { start: end, format: "FLAC" });
    isLast = block.bits(1) === 1;
    block.bits(7);
    end += 4 + block.bits(24);
  }
  return { ...info, end };
}

function readFrame(bytes: Uint8Array, start: number, info: StreamInfo): { block: Block; end: number } {
  const reader = new BitReader(bytes, { start, format: "FLAC" });
  const header = readHeader(reader, info);
  if (crc8(bytes.subarray(start, reader.offset)) !== reader.bits(8)) {
    throw new ClipError(`the FLAC frame at byte ${start} is damaged`);
  }
  const { assignment, samples, bitsPerSample, sampleRate } = header;
  const count = assignment < 8 ? assignment + 1 : 2;
  const sideChannel = assignment === 8 || assignment === 10 ? 1 : assignment === 9 ? 0 : -1;
  const subframes = Array.from({ length: count }, (_, channel) =>
    readSubframe(reader, { samples, bitsPerSample: bitsPerSample + (channel === sideChannel ? 1 : 0) }),
  );
  reader.align();
  if (crc16(bytes.subarray(start, reader.offset)) !== reader.bits(16)) {
    throw new ClipError(`the FLAC frame at byte ${start} is damaged`);
  }
  decorrelate(subframes, assignment);
  const scale = 2 ** (1 - bitsPerSample);
  const channels = subframes.map((values) => scaled(values, scale));
  return { block: { sampleRate, channels }, end: reader.offset };
}

/** Float32Array.from with a function is ten times slower. */
function scaled(values: Float64Array, scale: number): Float32Array {
  const samples = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) samples[i] = (values[i] as number) * scale;
  return samples;
}

function readHeader(reader: BitReader, info: StreamInfo): FrameHeader {
  const start = reader.offset;
  if (reader.bits(15) !== 0x7ffc) throw new ClipError(`the FLAC file has no frame at byte ${start}`);
  reader.bits(1);
  const [sizeCode, rateCode, assignment, depthCode] = [4, 4, 4, 3].map((count) => reader.bits(count));
  reader.bits(1);
  readCodedNumber(reader);
  const samples = blockSize(reader, sizeCode as number);
  const sampleRate = frameRate(reader, rateCode as number, info);
  const depths = [info.bitsPerSample, 8, 12, 0, 16, 20, 24, 32];
  const bitsPerSample = depths[depthCode as number] as number;
  if (samples === 0 || sampleRate === 0 || bitsPerSample === 0 || (assignment as number) > 10) {
    throw new ClipError(`the FLAC frame at byte ${start} has properties that are not defined`);
  }
  return { samples, sampleRate, assignment: assignment as number, bitsPerSample };
}

/** The frame's number, in UTF-8's scheme stretched to 36 bits. It is not needed. */
function readCodedNumber(reader: BitReader): void {
  const first = reader.bits(8);
  const ones = Math.clz32(~(first << 24));
  if (ones === 1 || ones > 7) throw new ClipError("a FLAC frame has no valid number");
  for (let byte = 1; byte < ones; byte++) reader.bits(8);
}

function blockSize(reader: BitReader, code: number): number {
  if (code === 1) return 192;
  if (code >= 2 && code <= 5) return 144 * 2 ** code;
  if (code === 6) return reader.bits(8) + 1;
  if (code === 7) return reader.bits(16) + 1;
  return code === 0 ? 0 : 2 ** code;
}

const rates = [88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

function frameRate(reader: BitReader, code: number, info: StreamInfo): number {
  if (code === 0) return info.sampleRate;
  if (code === 12) return reader.bits(8) * 1_000;
  if (code === 13) return reader.bits(16);
  if (code === 14) return reader.bits(16) * 10;
  return rates[code - 1] ?? 0;
}

/** Undoes what was done to two channels that are alike: left, right, side = left - right, mid = their mean. */
function decorrelate(subframes: readonly Float64Array[], assignment: number): void {
  const [first, second] = subframes as [Float64Array, Float64Array];
  if (assignment < 8) return;
  for (let i = 0; i < first.length; i++) {
    const [a, b] = [first[i] as number, second[i] as number];
    if (assignment === 8) second[i] = a - b;
    else if (assignment === 9) first[i] = a + b;
    else {
      const twice = 2 * a + (Math.abs(b) % 2);
      first[i] = (twice + b) / 2;
      second[i] = (twice - b) / 2;
    }
  }
}
