import {
  type Channel,
  type ChannelPackets,
  decodePacket,
  encodePacket,
  MedleyError,
  type Packet,
  type Receive,
  type RecordEnvelope,
  type TopicMessage,
} from "@medley/core";
import type { LogBatch, LogMessage } from "../log/log-partition.ts";
import { bufferOf, type NewMessage } from "./topic-message.ts";

/**
 * An envelope as a message: the key names collection and record, so that all of a record's go to one partition; the value is a
 * packet of this envelope alone, which says its schema version.
 */
export function messagesOfPacket(packet: ChannelPackets[Channel]): readonly NewMessage[] {
  const { collection } = packet;
  return packet.envelopes.map((envelope: RecordEnvelope) => ({
    key: `${collection}/${envelope.id}`,
    value: encodePacket({ collection, envelopes: [envelope], chunk: null }),
    ...(envelope.trace === undefined ? {} : { headers: { traceparent: envelope.trace } }),
  }));
}

/** A message as the window sees it: a record's are received one after the other, a collection's together. */
export interface PacketMessage extends LogMessage {
  readonly message: TopicMessage;
}

export function packetMessageOf(message: TopicMessage): PacketMessage {
  const { offset, timestampMs, key, value } = message;
  const order = key === null ? null : bufferOf(key).toString("latin1");
  const group = order?.slice(0, Math.max(order.indexOf("/"), 0)) ?? "";
  return {
    offset,
    timestampMs,
    bytes: (key?.byteLength ?? 0) + (value?.byteLength ?? 0),
    order,
    group,
    message,
  };
}

export interface PacketReceiver<C extends Channel> {
  readonly channel: C;
  readonly receive: Receive<C>;
  /** Resolves when the messages, which hold no packet, are kept elsewhere. */
  readonly onUndecodable: (messages: readonly TopicMessage[]) => Promise<void>;
  readonly onFault: (fault: MedleyError) => void;
}

/**
 * The messages as packets, one for each collection. Messages of a later version wait, until a service that reads them takes
 * over; those that hold no packet are handed to `onUndecodable`.
 */
export function packetBatchesOf<C extends Channel>(
  receiver: PacketReceiver<C>,
  messages: readonly PacketMessage[],
): readonly LogBatch<PacketMessage>[] {
  const packets = new Map<string, { messages: PacketMessage[]; envelopes: RecordEnvelope[] }>();
  const undecodable: PacketMessage[] = [];
  const tooNew: { messages: PacketMessage[]; fault: MedleyError }[] = [];
  for (const message of messages) {
    try {
      const { collection, envelopes } = decode(receiver.channel, message.message);
      const packet = packets.get(collection) ?? { messages: [], envelopes: [] };
      packets.set(collection, packet);
      packet.messages.push(message);
      packet.envelopes.push(...envelopes);
    } catch (error) {
      if (!(error instanceof MedleyError)) throw error;
      if (error.code === "data_too_new") tooNew.push({ messages: [message], fault: error });
      else undecodable.push(message);
    }
  }
  const batches: LogBatch<PacketMessage>[] = [...packets].map(([collection, packet]) => ({
    messages: packet.messages,
    receive: (attempt, signal) =>
      receiver.receive(
        { packet: packetOf({ collection, envelopes: packet.envelopes, chunk: null }), attempt },
        signal,
      ),
  }));
  for (const waiting of tooNew) {
    batches.push({
      messages: waiting.messages,
      receive: async () => {
        receiver.onFault(waiting.fault);
        throw waiting.fault;
      },
    });
  }
  if (undecodable.length > 0) {
    batches.push({
      messages: undecodable,
      receive: () => receiver.onUndecodable(undecodable.map(({ message }) => message)),
    });
  }
  return batches;
}

/** What was decoded as a channel's packets is taken apart and put together again as such. */
function packetOf<C extends Channel>(packet: Packet): ChannelPackets[C] {
  return packet as ChannelPackets[C];
}

function decode<C extends Channel>(channel: C, { value }: TopicMessage): ChannelPackets[C] {
  if (value === null) throw new MedleyError("body_malformed", `a message of channel ${channel} is empty`);
  return decodePacket(channel, bufferOf(value).toString());
}
