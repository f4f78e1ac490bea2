import { type Blocks, ClipError } from "./block.ts";
import { decodeFlac } from "./flac.ts";
import { decodeMp3, isMp3 } from "./mp3.ts";
import { type OggPackets, oggCodec, readOgg } from "./ogg.ts";
import { decodeOpus } from "./opus.ts";
import { decodeVorbis } from "./vorbis.ts";
import { decodeWav } from "./wav.ts";

/** A clip's file. What is larger is refused: of a recording that long only its beginning would be read. */
export const clipBytesMax = 64 * 1024 * 1024;

const convert = "convert it to WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus";

/** Files that are known and not read: a pattern of their first bytes in hex, and a name. */
const unread: readonly (readonly [RegExp, string])[] = [
  [/^(52463634|42573634|52494658)/, "a WAV file of the kind RF64, BW64 or RIFX"],
  [/^.{8}66747970/, "an MP4 file (AAC or ALAC)"],
  [/^1a45dfa3/, "a Matroska or WebM file"],
  [/^464f524d.{8}414946/, "an AIFF file"],
  [/^(41444946|fff[0189])/, "an AAC file"],
  [/^2e736e64/, "an AU file"],
  [/^2321414d52/, "an AMR file"],
  [/^3026b275/, "a Windows Media file"],
  [/^ff[ef][4-7c-f]/, "an MPEG audio file of layer I or II"],
];

/**
 * A clip's samples, block by block. Its first bytes decide what it is, not a name or a declared type. Throws `ClipError`
 * at once or while its blocks are asked for.
 */
export function decodeClip(bytes: Uint8Array): Blocks {
  if (bytes.length === 0) throw new ClipError("the clip has no bytes");
  if (bytes.length > clipBytesMax) {
    throw new ClipError(`the clip has ${bytes.length} bytes; at most ${clipBytesMax} are read`, "cut it");
  }
  const start = id3End(bytes);
  const rest = bytes.subarray(start);
  const head = Buffer.from(rest.subarray(0, 16)).toString("latin1");
  if (head.startsWith("RIFF") && head.slice(8, 12) === "WAVE") return decodeWav(rest);
  if (head.startsWith("fLaC")) return decodeFlac(rest);
  if (head.startsWith("OggS")) return decodeOgg(rest);
  if (start > 0 || isMp3(rest)) return decodeMp3(bytes, start);
  const hex = Buffer.from(rest.subarray(0, 16)).toString("hex");
  const what = unread.find(([pattern]) => pattern.test(hex))?.[1] ?? "no sound file that is read here";
  throw new ClipError(`the clip is ${what}`, convert);
}

/** Where the ID3v2 tags before the sound end. */
function id3End(bytes: Uint8Array): number {
  let at = 0;
  while (bytes[at] === 0x49 && bytes[at + 1] === 0x44 && bytes[at + 2] === 0x33) {
    const size = bytes.subarray(at + 6, at + 10);
    if (size.length < 4 || size.some((byte) => byte > 127))
      throw new ClipError("the clip's ID3 tag is not valid");
    const footer = ((bytes[at + 5] as number) & 16) !== 0 ? 10 : 0;
    at += 10 + size.reduce((sum, byte) => sum * 128 + byte, 0) + footer;
  }
  if (at > bytes.length) throw new ClipError("the clip breaks off in its ID3 tag");
  return at;
}

function* prefixed(first: OggPackets, rest: Iterator<OggPackets>): Generator<OggPackets> {
  yield first;
  for (let next = rest.next(); !next.done; next = rest.next()) yield next.value;
}

function decodeOgg(bytes: Uint8Array): Blocks {
  const pages = readOgg(bytes);
  const { value: first } = pages.next();
  const codec = oggCodec(first?.packets[0] ?? new Uint8Array(0));
  if (first === undefined || codec === undefined)
    throw new ClipError("the Ogg file's first page is not valid");
  return codec === "Opus" ? decodeOpus(prefixed(first, pages)) : decodeVorbis(prefixed(first, pages));
}
