import { OggVorbisDecoder } from "@wasm-audio-decoders/ogg-vorbis";
import { type Block, ClipError, checkFormat, decoding } from "./block.ts";
import { GranuleClock, type OggPackets } from "./ogg.ts";

/** Identification, comments, setup. */
const headersCount = 3;

type DecoderPages = Parameters<OggVorbisDecoder["decodeOggPages"]>[0];

/**
 * The samples of an Ogg Vorbis stream (Vorbis I specification); `pages` from its first on. The library's own container
 * parser is not used: hostile bytes can make it search for ever. The decoder is not freed by hand, which can trap after
 * a fault; its memory goes with its WebAssembly instance. Throws `ClipError`.
 */
export async function* decodeVorbis(pages: Iterable<OggPackets>): AsyncGenerator<Block> {
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  const clock = new GranuleClock();
  const headers: Uint8Array[] = [];
  for (const page of pages) {
    const missing = headersCount - headers.length;
    headers.push(...page.packets.slice(0, missing));
    const audio = page.packets.slice(missing);
    if (audio.length === 0) continue;
    const sampleRate = checkHeaders(headers);
    const channels = await decodePackets(decoder, headers, audio);
    const count = clock.count(page, channels[0]?.length ?? 0);
    yield { sampleRate, channels: channels.map((samples) => samples.subarray(0, count)) };
  }
  if (headers.length < headersCount) throw new ClipError("the Vorbis stream breaks off in its headers");
}

/** The sampling rate, section 4.2.2. What the C library would be given is checked here. */
function checkHeaders(headers: readonly Uint8Array[]): number {
  const [identification, comments, setup] = headers as [Uint8Array, Uint8Array, Uint8Array];
  if (identification.length !== 30 || comments[0] !== 3 || setup[0] !== 5) {
    throw new ClipError("the Vorbis headers are not valid");
  }
  const view = new DataView(identification.buffer, identification.byteOffset, identification.byteLength);
  const sampleRate = view.getUint32(12, true);
  checkFormat(view.getUint8(11), sampleRate);
  const [small, large] = [view.getUint8(28) & 15, view.getUint8(28) >> 4];
  if (view.getUint32(7, true) !== 0 || small < 6 || large > 13 || small > large) {
    throw new ClipError("the Vorbis headers are not valid");
  }
  return sampleRate;
}

async function decodePackets(
  decoder: OggVorbisDecoder,
  headers: readonly Uint8Array[],
  audio: readonly Uint8Array[],
): Promise<Float32Array[]> {
  const [data, , vorbisSetup] = headers;
  const codecFrames = audio.map((packet) => ({ data: packet, header: { vorbisSetup } }));
  // What the decoder reads of the page objects that its own parser makes.
  const page = { data, codecFrames, isLastPage: false };
  const { channelData, errors } = await decoding("Vorbis", () =>
    decoder.decodeOggPages([page] as unknown as DecoderPages),
  );
  if (errors.length > 0) throw new ClipError("a Vorbis packet is damaged");
  return channelData;
}
