import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { soundFile, wavOf } from "../reference.fixture.ts";
import { type Block, ClipError } from "./block.ts";
import { crcTable } from "./crc.ts";
import { clipBytesMax, decodeClip } from "./decode.ts";

interface Decoded {
  readonly sampleRate: number;
  readonly channels: number[][];
}

async function decoded(bytes: Uint8Array): Promise<Decoded> {
  const blocks: Block[] = [];
  for await (const block of decodeClip(bytes)) blocks.push(block);
  const [first] = blocks as [Block];
  const channels = first.channels.map((_, channel) =>
    blocks.flatMap((block) => [...(block.channels[channel] ?? [])]),
  );
  return { sampleRate: first.sampleRate, channels };
}

async function problem(bytes: Uint8Array): Promise<string> {
  try {
    await decoded(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(ClipError);
    return (error as ClipError).message;
  }
  return expect.unreachable("the clip was read");
}

/** A WAV file with any format chunk. */
function wav(options: { format: Uint8Array; data: Uint8Array; dataBytes?: number }): Uint8Array {
  const { format, data, dataBytes = data.length } = options;
  const file = Buffer.alloc(28 + format.length + data.length);
  file.write("RIFF", 0);
  file.writeUInt32LE(file.length - 8, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(format.length, 16);
  file.set(format, 20);
  file.write("data", 20 + format.length);
  file.writeUInt32LE(dataBytes, 24 + format.length);
  file.set(data, 28 + format.length);
  return file;
}

function format(options: {
  tag: number;
  channels?: number;
  bits: number;
  rate?: number;
  align?: number;
}): Buffer {
  const { tag, channels = 1, bits, rate = 16_000, align = (channels * bits) / 8 } = options;
  const chunk = Buffer.alloc(tag === 0xfffe ? 40 : 16);
  chunk.writeUInt16LE(tag, 0);
  chunk.writeUInt16LE(channels, 2);
  chunk.writeUInt32LE(rate, 4);
  chunk.writeUInt32LE((rate * align) >>> 0, 8);
  chunk.writeUInt16LE(align, 12);
  chunk.writeUInt16LE(bits, 14);
  return chunk;
}

test.for([
  ["8-bit", { tag: 1, bits: 8 }, [0, 64, 128, 192, 255], [-1, -0.5, 0, 0.5, 127 / 128]],
  ["16-bit", { tag: 1, bits: 16 }, [0x00, 0x80, 0xff, 0x7f, 0x00, 0x40], [-1, 32_767 / 32_768, 0.5]],
  [
    "24-bit",
    { tag: 1, bits: 24 },
    [0, 0, 0x80, 0xff, 0xff, 0x7f, 0, 0, 0xe0],
    [-1, 8_388_607 / 8_388_608, -0.25],
  ],
  ["32-bit", { tag: 1, bits: 32 }, [0, 0, 0, 0x80, 0, 0, 0, 0x20], [-1, 0.25]],
  [
    "float",
    { tag: 3, bits: 32 },
    [...new Uint8Array(Float32Array.of(-1.5, 0.1).buffer)],
    [-1.5, Math.fround(0.1)],
  ],
  [
    "double",
    { tag: 3, bits: 64 },
    [...new Uint8Array(Float64Array.of(-0.75, 0.1).buffer)],
    [-0.75, Math.fround(0.1)],
  ],
] as const)("WAV of %s samples", async ([, properties, data, samples]) => {
  const file = wav({ format: format(properties), data: Uint8Array.from(data) });
  expect(await decoded(file)).toEqual({ sampleRate: 16_000, channels: [samples] });
});

test("an extensible WAV says its format in a GUID", async () => {
  const chunk = format({ tag: 0xfffe, bits: 16, channels: 2 });
  chunk.set(Buffer.from("0100000000001000800000aa00389b71", "hex"), 24);
  const data = Buffer.from([0, 64, 0, 192]);
  expect((await decoded(wav({ format: chunk, data }))).channels).toEqual([[0.5], [-0.5]]);
  chunk[39] = 0;
  expect(await problem(wav({ format: chunk, data }))).toContain("format -1 samples of 16 bits");
});

test("a WAV written to a pipe does not know its length", async () => {
  const data = Buffer.from([0, 64, 0, 192]);
  for (const dataBytes of [0xffffffff, 0xffffff80]) {
    expect((await decoded(wav({ format: format({ tag: 1, bits: 16 }), data, dataBytes }))).channels).toEqual([
      [0.5, -0.5],
    ]);
  }
});

/** The first example of FLAC's specification (RFC 9639, appendix D.1): one sample of two channels. */
const flacExample = Buffer.from(
  "664c6143800000221000100000000f00000f0ac442f0000000013e84b41807dc690307586a3dad1a2e0ffff869180000bf0358fd03128baa9a",
  "hex",
);

test.for([
  ["the specification's example", flacExample, 16],
  ["16 bits, stereo", soundFile("reference/stereo-44100.flac"), 16],
  ["24 bits, mono", soundFile("reference/mono-11025-24.flac"), 24],
] as const)("FLAC, %s: the samples have the MD5 that the file says", async ([, file, bits]) => {
  const { channels } = await decoded(file);
  const bytes = bits / 8;
  const pcm = Buffer.alloc((channels[0]?.length ?? 0) * channels.length * bytes);
  for (const [channel, samples] of channels.entries()) {
    for (const [i, sample] of samples.entries()) {
      pcm.writeIntLE(sample * 2 ** (bits - 1), (i * channels.length + channel) * bytes, bytes);
    }
  }
  expect(createHash("md5").update(pcm).digest()).toEqual(Buffer.from(file.subarray(26, 42)));
});

test.for([
  ["clips/slt-1.opus", 48_000, 206_640],
  ["clips/slt-2.ogg", 16_000, 78_080],
  ["clips/slt-3.mp3", 16_000, 69_440],
] as const)("%s is as long as ffmpeg's, without the coding's padding", async ([file, rate, samples]) => {
  const { sampleRate, channels } = await decoded(soundFile(file));
  expect(sampleRate).toBe(rate);
  expect(channels[0]?.length).toBe(samples);
});

test("an ID3 tag before the sound is passed over, whatever the format", async () => {
  const tag = Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 1, 0, ...new Uint8Array(128).fill(0xff)]);
  for (const file of ["clips/slt-3.mp3", "reference/mono-11025-24.flac"]) {
    const plain = await decoded(soundFile(file));
    expect(await decoded(Buffer.concat([tag, tag, soundFile(file)]))).toEqual(plain);
  }
});

test.for([
  ["ftypM4A", Buffer.from("\0\0\0\x20ftypM4A \0\0\0\0", "latin1"), "an MP4 file"],
  ["RF64", Buffer.from("RF64\xff\xff\xff\xffWAVEds64", "latin1"), "RF64, BW64 or RIFX"],
  ["WebM", Buffer.from("1a45dfa3934282886d", "hex"), "WebM"],
  ["AIFF", Buffer.from("FORM\0\0\0\0AIFFCOMM", "latin1"), "AIFF"],
  ["AAC", Buffer.from("fff15080", "hex"), "AAC"],
  ["MP2", Buffer.from("fffda404", "hex"), "layer I or II"],
  ["text", Buffer.from("a text, no sound"), "no sound file"],
] as const)("%s is named and refused", async ([, bytes, name]) => {
  expect(await problem(bytes)).toContain(name);
});

test("a file over the limit is refused before it is looked at", async () => {
  expect(await problem(new Uint8Array(clipBytesMax + 1))).toContain("67108865 bytes; at most 67108864");
});

test("decoding stops when no more is asked for", async () => {
  const long = wavOf([new Float32Array(1_000_000).fill(0.5)], { sampleRate: 16_000 });
  let blocks = 0;
  for await (const _ of decodeClip(long)) if (++blocks === 2) break;
  expect(blocks).toBe(2);
});

test("checksums, by their catalogue's check values", () => {
  const digits = Buffer.from("123456789");
  expect(crcTable({ bits: 8, polynomial: 0x07 })(digits)).toBe(0xf4); // CRC-8/SMBUS
  expect(crcTable({ bits: 16, polynomial: 0x8005 })(digits)).toBe(0xfee8); // CRC-16/UMTS
  expect(crcTable({ bits: 32, polynomial: 0x04c11db7 })(digits)).toBe(0x89a1897f);
});
