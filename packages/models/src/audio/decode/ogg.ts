import { ClipError } from "./block.ts";
import { crcTable } from "./crc.ts";

/** What one page of an Ogg stream brings to its end. */
export interface OggPackets {
  readonly packets: readonly Uint8Array[];
  /** The position in samples at the end of the last packet; -1n where no packet ends. */
  readonly granule: bigint;
  readonly isLast: boolean;
}

interface Page {
  readonly serial: number;
  readonly sequence: number;
  readonly granule: bigint;
  readonly isContinued: boolean;
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly segments: Uint8Array;
  readonly body: Uint8Array;
  readonly end: number;
}

const crc32 = crcTable({ bits: 32, polynomial: 0x04c11db7 });
const headBytes = 27;

/**
 * The packets of the Opus or Vorbis stream of an Ogg file (RFC 3533), page by page. Streams of other kinds beside it (a
 * picture, a skeleton) are passed over. Every page's checksum and number are checked: a file with gaps is refused, as
 * is one that holds a second recording. Throws `ClipError`.
 */
export function* readOgg(bytes: Uint8Array): Generator<OggPackets> {
  let serial: number | undefined;
  let sequence = 0;
  let open: Uint8Array[] = [];
  let ended = false;
  for (const page of pagesOf(bytes)) {
    if (page.isFirst && isKnown(page.body)) {
      if (serial !== undefined) throw new ClipError("the Ogg file holds several recordings", "split it");
      serial = page.serial;
      sequence = page.sequence;
    }
    if (page.serial !== serial || ended) continue;
    if (page.sequence !== sequence++) throw new ClipError("pages of the Ogg file are missing");
    if (page.isContinued !== open.length > 0) throw new ClipError("the Ogg file's packets do not join");
    const { packets, rest } = packetsOf(page, open);
    open = rest;
    ended = page.isLast;
    yield { packets, granule: page.granule, isLast: page.isLast };
  }
  if (serial === undefined) throw new ClipError("the Ogg file holds neither Opus nor Vorbis");
  if (open.length > 0) throw new ClipError("the Ogg file breaks off");
}

export type OggCodec = "Opus" | "Vorbis";

/** What a stream's first packet says it is. */
export function oggCodec(packet: Uint8Array): OggCodec | undefined {
  const head = Buffer.from(packet.subarray(0, 8)).toString("latin1");
  if (head === "OpusHead") return "Opus";
  return head.startsWith("\x01vorbis") ? "Vorbis" : undefined;
}

function isKnown(packet: Uint8Array): boolean {
  return oggCodec(packet) !== undefined;
}

function* pagesOf(bytes: Uint8Array): Generator<Page> {
  let at = 0;
  while (at < bytes.length) {
    const page = readPage(bytes, at);
    yield page;
    at = page.end;
  }
}

function readPage(bytes: Uint8Array, start: number): Page {
  const head = bytes.subarray(start, start + headBytes);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < headBytes) throw new ClipError("the Ogg file breaks off");
  if (view.getUint32(0) !== 0x4f676753 || view.getUint8(4) !== 0) {
    throw new ClipError(`the Ogg file has no page at byte ${start}`);
  }
  const segments = bytes.subarray(start + headBytes, start + headBytes + view.getUint8(26));
  const bodyStart = start + headBytes + view.getUint8(26);
  const end = bodyStart + segments.reduce((sum, length) => sum + length, 0);
  if (end > bytes.length || bodyStart > bytes.length) throw new ClipError("the Ogg file breaks off");
  const body = bytes.subarray(bodyStart, end);
  const unsigned = Uint8Array.from(head);
  unsigned.fill(0, 22, 26); // The checksum is made with its own place empty.
  if (crc32(unsigned, segments, body) !== view.getUint32(22, true)) {
    throw new ClipError(`the Ogg page at byte ${start} is damaged`);
  }
  const flags = view.getUint8(5);
  return {
    serial: view.getUint32(14, true),
    sequence: view.getUint32(18, true),
    granule: view.getBigInt64(6, true),
    isContinued: (flags & 1) !== 0,
    isFirst: (flags & 2) !== 0,
    isLast: (flags & 4) !== 0,
    segments,
    body,
    end,
  };
}

/** A packet ends with a segment below 255 bytes; `rest` is what goes on in the next page. */
function packetsOf(page: Page, open: readonly Uint8Array[]): { packets: Uint8Array[]; rest: Uint8Array[] } {
  const packets: Uint8Array[] = [];
  let parts = [...open];
  let start = 0;
  let end = 0;
  for (const length of page.segments) {
    end += length;
    if (length === 255) continue;
    const part = page.body.subarray(start, end);
    packets.push(parts.length === 0 ? part : Buffer.concat([...parts, part]));
    parts = [];
    start = end;
  }
  if (start < end) parts.push(page.body.subarray(start, end));
  return { packets, rest: parts };
}

/**
 * How many of a stream's samples its last page leaves: granule positions count from the first page on, and the last
 * packet is mostly longer than what is left to say (RFC 7845, section 4.4).
 */
export class GranuleClock {
  #decoded = 0;
  #start: number | undefined;

  /** `decoded`: the samples of the page's packets. Returns how many of them count. */
  count(page: OggPackets, decoded: number): number {
    const before = this.#decoded;
    this.#decoded += decoded;
    if (page.granule < 0n) return decoded;
    if (!page.isLast) {
      if (decoded > 0) this.#start ??= Math.max(0, Number(page.granule) - this.#decoded);
      return decoded;
    }
    const end = Number(page.granule) - (this.#start ?? 0);
    return Math.max(0, Math.min(decoded, end - before));
  }
}
