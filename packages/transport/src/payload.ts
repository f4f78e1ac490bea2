import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import { type Channel, type ChannelPackets, decodePacket, encodePacket, MedleyError } from "@medley/core";

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Of one packet once unpacked: a hundred records, each at its longest. */
const packetBytesMax = 2 ** 28;

/**
 * A packet as a queue stores it. The key names the encoding (base64 of zstd of the packet's JSON), so that another may come
 * beside it. Compressed off the main thread, the packets of vectors shrink by a third and those of texts to a third, and a
 * database spends less on storing them than on the plain text.
 */
export interface Payload {
  readonly zstd: string;
}

export async function packPacket(packet: ChannelPackets[Channel]): Promise<Payload> {
  return { zstd: (await compress(encodePacket(packet))).toString("base64") };
}

/** Throws `MedleyError` as `decodePacket` does. */
export async function unpackPacket<C extends Channel>(
  channel: C,
  payload: unknown,
): Promise<ChannelPackets[C]> {
  const zstd = (payload as Partial<Payload> | null)?.zstd;
  let text: string;
  try {
    if (typeof zstd !== "string") throw new TypeError("no payload this process knows the encoding of");
    text = (await decompress(Buffer.from(zstd, "base64"), { maxOutputLength: packetBytesMax })).toString();
  } catch (cause) {
    throw new MedleyError("body_malformed", `a packet of channel ${channel} can't be unpacked`, {
      mend: "it was damaged or not written by Medley: find out what else writes to this queue",
      cause,
    });
  }
  return decodePacket(channel, text);
}
