import { OpusDecoder } from "opus-decoder";
import { type Block, ClipError, checkFormat, decoding } from "./block.ts";
import { GranuleClock, type OggPackets } from "./ogg.ts";

/** Opus is coded at 48 kHz, whatever the rate of what was recorded. */
const sampleRate = 48_000;
const samplesPerPacketMax = 5_760;

interface OpusHead {
  readonly channels: number;
  readonly preSkip: number;
  readonly gain: number;
  readonly streamCount: number;
  readonly coupledStreamCount: number;
  readonly channelMappingTable: number[];
}

/** The samples of an Ogg Opus stream (RFC 7845); `pages` from its first on. Throws `ClipError`. */
export async function* decodeOpus(pages: Iterable<OggPackets>): AsyncGenerator<Block> {
  let decoder: OpusDecoder<typeof sampleRate> | undefined;
  let head: OpusHead | undefined;
  let headers = 0;
  let toSkip = 0;
  const clock = new GranuleClock();
  try {
    for (const page of pages) {
      const audio = page.packets.slice(Math.max(0, 2 - headers));
      if (headers === 0) head = readHead(page.packets[0] as Uint8Array);
      headers = Math.min(2, headers + page.packets.length);
      if (head === undefined || audio.length === 0) continue;
      if (decoder === undefined) {
        decoder = new OpusDecoder<typeof sampleRate>({ sampleRate, ...head, preSkip: 0 });
        await decoder.ready;
        toSkip = head.preSkip;
      }
      const total = audio.reduce((sum, packet) => sum + samplesOf(packet), 0);
      let left = clock.count(page, total);
      for (const packet of audio) {
        const from = Math.min(toSkip, samplesOf(packet));
        const to = Math.min(left, samplesOf(packet));
        toSkip -= from;
        left -= to;
        const channels = await decodePacket(decoder, packet, head.gain);
        yield { sampleRate, channels: channels.map((samples) => samples.subarray(from, Math.max(from, to))) };
      }
    }
  } finally {
    decoder?.free();
  }
  if (headers < 2) throw new ClipError("the Opus stream breaks off in its headers");
}

async function decodePacket(
  decoder: OpusDecoder<typeof sampleRate>,
  packet: Uint8Array,
  gain: number,
): Promise<Float32Array[]> {
  const { channelData, samplesDecoded, errors } = await decoding("Opus", () => decoder.decodeFrame(packet));
  if (errors.length > 0 || samplesDecoded !== samplesOf(packet))
    throw new ClipError("an Opus packet is damaged");
  return gain === 1 ? channelData : channelData.map((samples) => samples.map((sample) => sample * gain));
}

/** Section 5.1 of RFC 7845. What the C library would be given is checked here: it trusts its caller. */
function readHead(packet: Uint8Array): OpusHead {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  if (packet.length < 19 || view.getUint8(8) >= 16) throw new ClipError("the Opus header is not understood");
  const channels = view.getUint8(9);
  const family = view.getUint8(18);
  checkFormat(channels, sampleRate);
  const shared = {
    channels,
    preSkip: view.getUint16(10, true),
    gain: 10 ** (view.getInt16(16, true) / 256 / 20),
  };
  if (family === 0 && channels <= 2) {
    const channelMappingTable = channels === 2 ? [0, 1] : [0];
    return { ...shared, streamCount: 1, coupledStreamCount: channels - 1, channelMappingTable };
  }
  if (family !== 1 || packet.length < 21 + channels) {
    throw new ClipError(
      `the Opus stream has ${channels} channels of mapping family ${family}, which is not read`,
    );
  }
  const [streamCount, coupledStreamCount] = [view.getUint8(19), view.getUint8(20)];
  const channelMappingTable = [...packet.subarray(21, 21 + channels)];
  const decoded = streamCount + coupledStreamCount;
  const isValid = channelMappingTable.every((index) => index < decoded || index === 255);
  if (streamCount === 0 || streamCount > channels || coupledStreamCount > streamCount || !isValid) {
    throw new ClipError("the Opus header's channel mapping is not valid");
  }
  return { ...shared, streamCount, coupledStreamCount, channelMappingTable };
}

/** Samples a packet stands for at 48 kHz, from its first bytes (RFC 6716, section 3.1). Throws for no valid count. */
function samplesOf(packet: Uint8Array): number {
  const toc = packet[0];
  if (toc === undefined) throw new ClipError("an Opus packet is empty");
  const config = toc >> 3;
  const frameMs =
    config < 12
      ? ([10, 20, 40, 60][config % 4] as number)
      : config < 16
        ? 10 * (1 + (config % 2))
        : 2.5 * 2 ** (config % 4);
  const code = toc & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 63;
  const samples = frames * frameMs * 48;
  if (samples === 0 || samples > samplesPerPacketMax) throw new ClipError("an Opus packet is damaged");
  return samples;
}
