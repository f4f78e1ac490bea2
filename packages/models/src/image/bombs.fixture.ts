/** Files that were made to break decoders, or to make them take all memory. */
import { crc32, createDeflate, deflateSync } from "node:zlib";
import { picture } from "./pictures.fixture.ts";

function u16(value: number, little = false): Buffer {
  const bytes = Buffer.alloc(2);
  bytes[little ? "writeUInt16LE" : "writeUInt16BE"](value);
  return bytes;
}
function u32(value: number, little = false): Buffer {
  const bytes = Buffer.alloc(4);
  bytes[little ? "writeUInt32LE" : "writeUInt32BE"](value);
  return bytes;
}

/** Zeros, deflated piece by piece: 1,000 times as many as the bytes that come out. */
async function deflatedZeros(count: number): Promise<Buffer> {
  const deflate = createDeflate({ level: 9 });
  const parts: Buffer[] = [];
  deflate.on("data", (part: Buffer) => parts.push(part));
  const piece = Buffer.alloc(1 << 16);
  for (let left = count; left > 0; left -= piece.length) {
    if (!deflate.write(left < piece.length ? piece.subarray(0, left) : piece)) {
      await new Promise((resolve) => deflate.once("drain", resolve));
    }
  }
  await new Promise<void>((resolve) => deflate.once("end", resolve).end());
  return Buffer.concat(parts);
}

function chunk(kind: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
  return Buffer.concat([u32(data.length), body, u32(crc32(body))]);
}
const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");

function png(
  {
    width,
    height,
    colour = 0,
    interlaced = false,
  }: { width: number; height: number; colour?: number; interlaced?: boolean },
  pixels: Uint8Array,
  extra: readonly Buffer[] = [],
): Buffer {
  const header = Buffer.concat([u32(width), u32(height), Buffer.from([8, colour, 0, 0, interlaced ? 1 : 0])]);
  const parts = [
    signature,
    chunk("IHDR", header),
    ...extra,
    chunk("IDAT", pixels),
    chunk("IEND", Buffer.alloc(0)),
  ];
  return Buffer.concat(parts);
}
const smallPng = (extra: readonly Buffer[]) =>
  png({ width: 8, height: 8 }, deflateSync(Buffer.alloc(72)), extra);

function gif(width: number, height: number, frames: number): Buffer {
  const head = [
    Buffer.from("GIF89a"),
    u16(width, true),
    u16(height, true),
    Buffer.from([0x80, 0, 0, 0, 0, 0, 255, 255, 255]),
  ];
  const place = [Buffer.from([0x2c, 0, 0, 0, 0]), u16(width, true), u16(height, true)];
  const frame = Buffer.concat([...place, Buffer.from([0, 2, 2, 0x44, 1, 0])]);
  return Buffer.concat([...head, ...Array.from({ length: frames }, () => frame), Buffer.from([0x3b])]);
}

type Tag = readonly [tag: number, type: number, count: number, value: number];
/** Little-endian, one directory at 8 whose next one is at `next`. */
function tiff(tags: readonly Tag[], next: number, rest = Buffer.alloc(64)): Buffer {
  const entries = tags.map(([tag, type, count, value]) =>
    Buffer.concat([u16(tag, true), u16(type, true), u32(count, true), u32(value, true)]),
  );
  const head = [Buffer.from("II*\0", "latin1"), u32(8, true), u16(tags.length, true)];
  return Buffer.concat([...head, ...entries, u32(next, true), rest]);
}
const greyTags = (width: number, height: number, strips = 1): Tag[] => [
  ...([
    [256, 4, 1, width],
    [257, 4, 1, height],
    [258, 3, 1, 8],
    [259, 3, 1, 1],
    [262, 3, 1, 1],
  ] as Tag[]),
  ...([
    [273, 4, strips, 122],
    [277, 3, 1, 1],
    [278, 4, 1, height],
    [279, 4, strips, 64],
  ] as Tag[]),
];

/** The picture's own frame header (SOF) with other measures, of a baseline or a progressive picture. */
function jpegOf(width: number, height: number, progressive: boolean): Buffer {
  const bytes = Buffer.from(picture("photo.jpg"));
  const at = bytes.indexOf(Buffer.from([0xff, 0xc0]));
  if (progressive) bytes[at + 1] = 0xc2;
  bytes.writeUInt16BE(height, at + 5);
  bytes.writeUInt16BE(width, at + 7);
  return bytes;
}

function jpegWithExif(exif: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from("Exif\0\0", "latin1"), exif]);
  const photo = Buffer.from(picture("photo.jpg"));
  return Buffer.concat([
    photo.subarray(0, 2),
    Buffer.from([0xff, 0xe1]),
    u16(body.length + 2),
    body,
    photo.subarray(2),
  ]);
}

function webpHeader(width: number, height: number): Buffer {
  const size = Buffer.alloc(5);
  size[0] = 0x2f;
  size.writeUInt32LE(((height - 1) << 14) | (width - 1), 1);
  const data = Buffer.concat([size, Buffer.alloc(64)]);
  const body = Buffer.concat([Buffer.from("WEBPVP8L", "latin1"), u32(data.length, true), data]);
  return Buffer.concat([Buffer.from("RIFF", "latin1"), u32(body.length, true), body]);
}

function avifOf(width: number, height: number): Buffer {
  const bytes = Buffer.from(picture("still.avif"));
  const at = bytes.indexOf("ispe") + 8;
  bytes.writeUInt32BE(width, at);
  bytes.writeUInt32BE(height, at + 4);
  return bytes;
}

function animatedPng(frames: number): Buffer {
  const control = (sequence: number) =>
    chunk(
      "fcTL",
      Buffer.concat([...[sequence, 8, 8, 0, 0].map((value) => u32(value)), Buffer.from([0, 1, 0, 10, 0, 0])]),
    );
  const pixels = deflateSync(Buffer.alloc(72));
  const rest = Array.from({ length: frames }, (_, i) => [
    control(1 + 2 * i),
    chunk("fdAT", Buffer.concat([u32(2 + 2 * i), pixels])),
  ]).flat();
  const parts = [chunk("acTL", Buffer.concat([u32(frames + 1), u32(0)])), control(0)];
  const whole = smallPng(parts);
  const end = whole.length - 12;
  return Buffer.concat([whole.subarray(0, end), ...rest, whole.subarray(end)]);
}

const text = (value: string) => Buffer.from(value, "latin1");
const half = (name: string) => picture(name).subarray(0, picture(name).length >> 1);
const flipped = (name: string, seed: number) => {
  const bytes = Buffer.from(picture(name));
  for (let i = 0, at = seed; i < 40; i++) {
    at = (at * 1103515245 + 12345) % 2147483648;
    bytes[16 + (at % (bytes.length - 16))] = at & 255;
  }
  return bytes;
};
const svg = `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&x;</text></svg>`;

/** What is refused, always. */
export async function refusedFiles(): Promise<Record<string, Uint8Array>> {
  return {
    "zero bytes": Buffer.alloc(0),
    "one byte": Buffer.from([0xff]),
    "only a signature": signature,
    "PNG of 2^31 - 1 squared": png({ width: 2147483647, height: 2147483647 }, deflateSync(Buffer.alloc(9))),
    "PNG zip bomb of 3.6 billion pixels": png(
      { width: 60_000, height: 60_000 },
      await deflatedZeros(200_000_000),
    ),
    "interlaced RGBA PNG of 81 million pixels": png(
      { width: 9_000, height: 9_000, colour: 6, interlaced: true },
      await deflatedZeros(324_009_000),
    ),
    "PNG cut off": half("alpha.png"),
    "PNG whose pixels are too few": png({ width: 900, height: 900 }, deflateSync(Buffer.alloc(90))),
    "GIF of 65,535 squared": gif(65_535, 65_535, 1),
    "GIF cut off": half("palette.gif"),
    "WebP of 16,384 squared": webpHeader(16_384, 16_384),
    "WebP cut off": half("lossless.webp"),
    "AVIF of 65,535 squared": avifOf(65_535, 65_535),
    "AVIF cut off": half("still.avif"),
    "TIFF of 100,000 squared": tiff(greyTags(100_000, 100_000), 0),
    "TIFF with 2 billion strips": tiff(greyTags(8, 8, 2_000_000_000), 0),
    "TIFF without tags": tiff([], 0),
    "TIFF cut off": half("page.tiff"),
    "JPEG of 4 billion pixels": jpegOf(65_500, 65_500, false),
    "progressive JPEG of 99 million pixels": jpegOf(12_000, 8_250, true),
    "JPEG cut off": half("photo.jpg"),
    "SVG with an external entity": text(svg),
    "PNG signature before an SVG": Buffer.concat([signature, text(svg)]),
    "GIF signature before an SVG": text(`GIF89a${svg}`),
    "TIFF signature before a PDF": Buffer.concat([
      text("II*\0"),
      text("%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj"),
    ]),
    PDF: text("%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"),
    HEIC: Buffer.concat([u32(24), text("ftypheic"), u32(0), text("mif1heic")]),
    "BMP, ICO, PostScript": text("BM\0\0\0\0%!PS-Adobe-3.0"),
    "libvips' own format": Buffer.from([0x08, 0xf2, 0xa6, 0xb6, ...new Uint8Array(64)]),
  };
}

/** What may be read or refused, as long as it is safe. */
export async function suspiciousFiles(): Promise<Record<string, Uint8Array>> {
  const profile = Buffer.concat([text("profile\0\0"), await deflatedZeros(200_000_000)]);
  const comment = Buffer.concat([text("comment\0\0"), await deflatedZeros(200_000_000)]);
  const exifLoop = Buffer.concat([
    text("II*\0"),
    u32(8, true),
    u16(1, true),
    u16(0x8769, true),
    u16(4, true),
    u32(1, true),
    u32(8, true),
    u32(8, true),
  ]);
  const exifCount = Buffer.concat([
    text("II*\0"),
    u32(8, true),
    u16(1, true),
    u16(0x0112, true),
    u16(3, true),
    u32(0xffffffff, true),
    u32(0xfffffff0, true),
    u32(0, true),
  ]);
  return {
    "PNG of 99 million flat pixels": png({ width: 9_950, height: 9_950 }, await deflatedZeros(9_951 * 9_950)),
    "PNG of 1 x 1,000,000": png({ width: 1, height: 1_000_000 }, await deflatedZeros(2_000_000)),
    "PNG of 1,000,000 x 1": png({ width: 1_000_000, height: 1 }, await deflatedZeros(1_000_001)),
    "PNG with a colour profile that inflates to 200 MB": smallPng([chunk("iCCP", profile)]),
    "PNG with a comment that inflates to 200 MB": smallPng([chunk("zTXt", comment)]),
    "PNG with 50,000 comments": smallPng(Array.from({ length: 50_000 }, () => chunk("tEXt", text("a\0b")))),
    "APNG of 5,000 frames": animatedPng(5_000),
    "GIF of 50,000 frames": gif(1, 1, 50_000),
    "TIFF whose directory is its own next": tiff(greyTags(8, 8), 8),
    "JPEG whose EXIF is its own child": jpegWithExif(exifLoop),
    "JPEG whose orientation has 4 billion values": jpegWithExif(exifCount),
    "JPEG with a ZIP behind it": Buffer.concat([picture("photo.jpg"), text("PK\x03\x04<script>")]),
    ...Object.fromEntries(
      ["photo.jpg", "lossless.webp", "palette.gif", "still.avif", "page.tiff", "alpha.png"].flatMap((name) =>
        [1, 2, 3].map((seed) => [`${name} with bytes overwritten (${seed})`, flipped(name, seed)]),
      ),
    ),
  };
}
