import { expect, test } from "vitest";
import { crcTable } from "./decode/crc.ts";
import { openAudio, soundFile, wavOf } from "./reference.fixture.ts";

const growthBytesMax = 100e6;
const opened = await openAudio("wav2vec2-group", { secondsMax: 2 });
const [opus, vorbis, mp3] = ["clips/slt-1.opus", "clips/slt-2.ogg", "clips/slt-3.mp3"].map(soundFile) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const mp3Frame = mp3.subarray(mp3.indexOf(255), mp3.indexOf(255) + 4); // Behind its ID3 tag: a frame's head.
const flac = soundFile("reference/stereo-44100.flac");
const crc8 = crcTable({ bits: 8, polynomial: 0x07 });
const crc16 = crcTable({ bits: 16, polynomial: 0x8005 });
const crc32 = crcTable({ bits: 32, polynomial: 0x04c11db7 });

function noise(samples: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: samples }, () => {
    state = (state * 48_271) % 0x7fffffff;
    return state / 0x7fffffff - 0.5;
  });
}

function randomBytes(length: number, head: string | Uint8Array = ""): Uint8Array {
  const bytes = noise(length).map((sample) => (sample + 0.5) * 256);
  return Buffer.concat([Buffer.from(head as string, "latin1"), Uint8Array.from(bytes)]);
}

/** A copy with some bytes replaced. */
function changed(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(values, at);
  return copy;
}

const wav = wavOf([noise(4_000), noise(4_000)], { sampleRate: 16_000 });
const u16 = (value: number) => [value & 255, value >> 8];
const u32 = (value: number) => [...new Uint8Array(Uint32Array.of(value).buffer)];

interface PageOptions {
  readonly sequence: number;
  readonly packets: readonly Uint8Array[];
  readonly granule: bigint;
  readonly flags?: number;
  readonly serial?: number;
}

/** An Ogg page of whole packets with the right checksum. */
function oggPage({ sequence, packets, granule, flags = 0, serial = 7 }: PageOptions): Buffer {
  const segments = packets.flatMap(({ length }) => [
    ...new Array(Math.floor(length / 255)).fill(255),
    length % 255,
  ]);
  const page = Buffer.alloc(27 + segments.length + packets.reduce((sum, { length }) => sum + length, 0));
  page.write("OggS", 0);
  page[5] = flags;
  page.writeBigInt64LE(granule, 6);
  page.writeUInt32LE(serial, 14);
  page.writeUInt32LE(sequence, 18);
  page[26] = segments.length;
  page.set(segments, 27);
  page.set(Buffer.concat(packets), 27 + segments.length);
  page.writeUInt32LE(crc32(page), 22);
  return page;
}

function opusHead(options: { channels?: number; family?: number; mapping?: number[] } = {}): Buffer {
  const { channels = 1, family = 0, mapping = [] } = options;
  return Buffer.from([
    ...Buffer.from("OpusHead"),
    1,
    channels,
    ...u16(312),
    ...u32(16_000),
    ...u16(0),
    family,
    ...mapping,
  ]);
}

/** An Ogg Opus file of the given header and audio packets. */
function opusFile(head: Buffer, pages: readonly (readonly Uint8Array[])[], granule = 1n << 40n): Uint8Array {
  return Buffer.concat([
    oggPage({ sequence: 0, packets: [head], granule: 0n, flags: 2 }),
    oggPage({ sequence: 1, packets: [Buffer.from("OpusTags\0\0\0\0\0\0\0\0")], granule: 0n }),
    ...pages.map((packets, i) => oggPage({ sequence: i + 2, packets, granule: granule + BigInt(i) })),
  ]);
}

/** Frames of 65,536 equal samples in 8 channels: 2 MB of sound in 50 bytes. */
function flacBomb(frames: number): Uint8Array {
  const info = [...Buffer.from("fLaC"), 0x80, 0, 0, 34, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0];
  // 384,000 would not fit: the rate has 20 bits. 16 kHz, 8 channels, 16 bits, no number of samples.
  const properties = [0x03, 0xe8, 0x0e, 0xf0, 0, 0, 0, 0, ...new Array(16).fill(0)];
  const head = [0xff, 0xf8, 0x70, 0x78, 0, 0xff, 0xff];
  const subframes = Array.from({ length: 8 }, (_, channel) => [0, channel, 0]).flat();
  const body = [...head, crc8(Uint8Array.from(head)), ...subframes];
  const sum = crc16(Uint8Array.from(body));
  const frame = Uint8Array.from([...body, sum >> 8, sum & 255]);
  return Buffer.concat([Uint8Array.from([...info, ...properties]), ...new Array(frames).fill(frame)]);
}

/** Packets of two bytes that stand for 120 ms each. */
const opusBomb = opusFile(
  opusHead(),
  Array.from({ length: 400 }, () => new Array(127).fill(Uint8Array.of(0x1b, 2))),
);

/** The pages of an Ogg file. */
function pagesOf(file: Uint8Array): Uint8Array[] {
  const bytes = Buffer.from(file);
  const starts: number[] = [];
  for (let at = 0; at >= 0; at = bytes.indexOf("OggS", at + 1)) starts.push(at);
  return starts.map((start, i) => bytes.subarray(start, starts[i + 1]));
}

const vorbisPages = pagesOf(vorbis);
const oneSecond = Buffer.concat([
  oggPage({ sequence: 0, packets: [opusHead()], granule: 0n, flags: 2 }),
  oggPage({ sequence: 1, packets: [Buffer.from("OpusTags\0\0\0\0\0\0\0\0")], granule: 0n }),
  oggPage({ sequence: 2, packets: new Array(50).fill(Uint8Array.of(8)), granule: 48_000n, flags: 4 }),
]);

/** Every form, and the reason that it fails with; `null`: it is read, within its bounds. */
const forms: Readonly<Record<string, readonly [Uint8Array, string | null]>> = {
  "no bytes": [new Uint8Array(0), "has no bytes"],
  "one byte": [Uint8Array.of(82), "no sound file"],
  "a text": [Buffer.from("Once upon a time there was no sound. ".repeat(2_000)), "no sound file"],
  "random bytes": [randomBytes(50_000, "\0"), "no sound file"],
  "WAV: cut in its header": [wav.subarray(0, 30), "breaks off"],
  "WAV: cut in its data": [wav.subarray(0, 5_000), "breaks off"],
  "WAV: 4 GB declared": [changed(wav, 40, ...u32(0xf0000000)), "its data chunk says 4026531840 bytes"],
  "WAV: 65,535 channels": [changed(wav, 22, ...u16(65_535)), "65535 channels"],
  "WAV: no channel": [changed(wav, 22, 0, 0), "0 channels"],
  "WAV: rate 0": [changed(wav, 24, 0, 0, 0, 0), "0 samples a second"],
  "WAV: rate 4,000,000,000": [changed(wav, 24, ...u32(4e9)), "4000000000 samples a second"],
  "WAV: block align 0": [changed(wav, 32, 0, 0), "in 0 bytes"],
  "WAV: 65,535 bits": [changed(wav, 34, ...u16(65_535)), "65535 bits"],
  "WAV: µ-law": [changed(wav, 20, 7), "format 7 samples"],
  "WAV: a chunk longer than the file": [
    changed(wav, 16, ...u32(0x7fffffff)),
    "its fmt chunk says 2147483647",
  ],
  "WAV: chunks without end": [Buffer.concat([wav.subarray(0, 12), new Uint8Array(100_000)]), "has no data"],
  "WAV: NaN": [
    wavOf([noise(4_000).fill(Number.NaN, 99, 100)], { sampleRate: 16_000, float: true }),
    "sample 99 is not",
  ],
  "WAV: infinity": [
    wavOf([noise(4_000).fill(Number.POSITIVE_INFINITY, 7, 8)], { sampleRate: 8_000, float: true }),
    "sample 7 is not",
  ],
  "WAV: the largest floats": [
    wavOf([noise(4_000).map((x) => x * 6e38)], { sampleRate: 16_000, float: true }),
    null,
  ],
  "FLAC: only its name": [Buffer.from("fLaC"), "breaks off"],
  "FLAC: random bytes": [randomBytes(50_000, "fLaC"), "does not begin with its stream's properties"],
  "FLAC: random frames": [randomBytes(500_000, flac.subarray(0, 4_400)), "FLAC"],
  "FLAC: more samples declared": [changed(flac, 22, 0xff, 0xff, 0xff, 0xff), "breaks off"],
  "FLAC: cut": [flac.subarray(0, 20_000), "breaks off"],
  "FLAC: one bit turned": [changed(flac, 20_000, (flac[20_000] as number) ^ 4), "FLAC"],
  "FLAC: metadata beyond the end": [
    changed(flac, 4, 0, 0, 0, 34, ...flac.subarray(8, 42), 0x7f, 255, 255, 255),
    "FLAC",
  ],
  "FLAC: rate 0": [changed(flac, 18, 0, 0, 0x02), "0 samples a second"],
  "FLAC: gigabytes in kilobytes": [flacBomb(4_000), null],
  "MP3: random bytes": [randomBytes(200_000, mp3Frame), "MP3"],
  "MP3: frame heads without a body": [Buffer.concat(new Array(50_000).fill(mp3Frame)), null],
  "MP3: bodies turned": [Uint8Array.from(mp3, (byte, at) => (at % 97 === 50 ? byte ^ 255 : byte)), null],
  "MP3: frames over and over": [Buffer.concat(new Array(40).fill(mp3)), null],
  "MP3: a hole": [
    Buffer.concat([mp3.subarray(0, 2_000), new Uint8Array(100_000), mp3.subarray(2_000)]),
    "no frame from byte",
  ],
  "ID3: 256 MB declared": [
    Buffer.from("494433040000ff7f7f7f".replace("ff", "7f"), "hex"),
    "breaks off in its ID3 tag",
  ],
  "ID3: a size that is none": [Buffer.from("49443304000080808080", "hex"), "ID3 tag is not valid"],
  "ID3: tags without end": [
    Buffer.concat(new Array(100_000).fill(Buffer.from("49443304000000000000", "hex"))),
    "MP3",
  ],
  "ID3: then a text": [
    Buffer.concat([Buffer.from("49443304000000000000", "hex"), Buffer.from("text ".repeat(30_000))]),
    "MP3",
  ],
  "Ogg: random bytes": [randomBytes(50_000, "OggS\0"), "Ogg"],
  "Ogg: a page missing": [Buffer.concat(vorbisPages.toSpliced(2, 1)), "pages of the Ogg file are missing"],
  "Ogg: a page twice": [
    Buffer.concat(vorbisPages.toSpliced(2, 0, vorbisPages[2] as Uint8Array)),
    "pages of the Ogg file are missing",
  ],
  "Ogg: two recordings": [Buffer.concat([oneSecond, oneSecond]), "several recordings"],
  "Ogg: two recordings, the first without its end": [
    Buffer.concat([...pagesOf(oneSecond).slice(0, 2), oneSecond]),
    "several recordings",
  ],
  "Ogg: only its first page": [opusFile(opusHead(), []).subarray(0, 47), "breaks off in its headers"],
  "Ogg: cut": [vorbis.subarray(0, 7_000), "breaks off"],
  "Ogg: one bit turned": [changed(vorbis, 10_000, (vorbis[10_000] as number) ^ 1), "is damaged"],
  "Ogg: neither Opus nor Vorbis": [
    oggPage({ sequence: 0, packets: [Buffer.from("fishead\0")], granule: 0n, flags: 2 }),
    "neither Opus nor Vorbis",
  ],
  "Ogg: empty pages without end": [
    Buffer.concat([
      opusFile(opusHead(), []),
      ...Array.from({ length: 20_000 }, (_, i) => oggPage({ sequence: i + 2, packets: [], granule: -1n })),
    ]),
    null,
  ],
  "Opus: 255 channels": [opusFile(opusHead({ channels: 255 }), []), "255 channels"],
  "Opus: a mapping that leads nowhere": [
    opusFile(opusHead({ channels: 2, family: 1, mapping: [1, 0, 9, 9] }), [[Uint8Array.of(8)]]),
    "mapping is not valid",
  ],
  "Opus: more streams coupled than there are": [
    opusFile(opusHead({ channels: 2, family: 1, mapping: [1, 9, 0, 1] }), [[Uint8Array.of(8)]]),
    "mapping is not valid",
  ],
  "Opus: an empty packet": [opusFile(opusHead(), [[new Uint8Array(0)]]), "packet is empty"],
  "Opus: a packet of random bytes": [opusFile(opusHead(), [[randomBytes(3_000, "\x03\xff")]]), "damaged"],
  "Opus: a position before the first sample": [
    opusFile(opusHead(), [[Uint8Array.of(8)]], -(1n << 62n)),
    null,
  ],
  "Opus: an hour in kilobytes": [opusBomb, null],
  "Vorbis: headers of zeros": [
    Buffer.concat([
      oggPage({ sequence: 0, packets: [vorbis.subarray(28, 58)], granule: 0n, flags: 2 }),
      oggPage({
        sequence: 1,
        packets: [Uint8Array.of(3), changed(new Uint8Array(9_000), 0, 5), Uint8Array.of(0)],
        granule: 9n,
      }),
    ]),
    "Vorbis",
  ],
  "Vorbis: a huge packet": [
    Buffer.concat([
      oggPage({ sequence: 0, packets: [vorbis.subarray(28, 58)], granule: 0n, flags: 2 }),
      oggPage({
        sequence: 1,
        packets: [Uint8Array.of(3), Uint8Array.of(5), randomBytes(60_000)],
        granule: 9n,
      }),
    ]),
    "Vorbis",
  ],
};

test.for(Object.entries(forms))("%s", async ([name, [bytes, reason]]) => {
  const before = process.memoryUsage().rss;
  const { failures, lengths } = await opened.session.prepare([wav, bytes, opus]);
  expect(process.memoryUsage().rss - before, name).toBeLessThan(growthBytesMax);
  // Its neighbours are read.
  expect([lengths[0], lengths[2]]).toEqual([4_000, 32_000]);
  if (reason === null) {
    expect(failures).toEqual([]);
    expect(lengths[1]).toBeLessThanOrEqual(32_000);
  } else {
    expect(failures.map(({ index }) => index)).toEqual([1]);
    expect(failures[0]?.message).toContain(reason);
    expect(lengths[1]).toBe(0);
  }
});

test("no message quotes what is in a clip", async () => {
  const secret = Buffer.from("secret-content ".repeat(50));
  const { failures } = await opened.session.prepare([
    secret,
    Buffer.concat([Buffer.from("RIFF\0\0\0\0WAVE"), secret]),
  ]);
  expect(failures).toHaveLength(2);
  expect(JSON.stringify(failures)).not.toMatch(/secr|cont/);
});
