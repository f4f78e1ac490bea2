import {
  type ChunkRef,
  type Collection,
  channels,
  type DeadLetter,
  type Lane,
  MedleyError,
  type Packet,
  packetRecordsMax,
  parseRecord,
  type RecordEnvelope,
  type Transport,
  type VersionClock,
  version,
} from "@medley/core";
import { countFailures, type PipelineCounters } from "./counters.ts";
import { charsOf, PacketRoom } from "./packet-room.ts";
import { asStage } from "./stage.ts";
import { traceparentOf } from "./tracing.ts";

/** Producers are slowed by how full a lane is, which so short a time does not change much. */
const backlogAgeMsMax = 500;

export interface ProducePorts {
  readonly collections: ReadonlyMap<string, Collection>;
  readonly lanes: Readonly<Record<Lane, Pick<Transport, "unit" | "send" | "backlog">>>;
  readonly versions: VersionClock;
  readonly counters: PipelineCounters;
  /** Packets of a lane that may wait to be embedded or indexed before producers are slowed (promise P5). */
  readonly backlogPacketsMax: number;
}

/** An input as it came, for dead letters and error messages. */
export interface Input {
  readonly value: unknown;
  /** `films.csv:17`, `http`. */
  readonly source: string;
  /** Values are strings that stand for any type. */
  readonly textual: boolean;
  /** The version it was given before, so that a chunk or dead letter sent again keeps it; default: one is given now. */
  readonly version?: bigint;
  /** See `RecordEnvelope`. Default: now. */
  readonly acceptedAtMs?: number;
  /** W3C `traceparent` of the request or message it came with. */
  readonly trace?: string | undefined;
}

export interface Rejection {
  /** Position among the inputs, from 0. */
  readonly index: number;
  readonly id: string | null;
  readonly code: string;
  readonly message: string;
}

export interface Checked {
  readonly envelopes: readonly RecordEnvelope[];
  readonly rejected: readonly Rejection[];
}

/** Throws `collection_unknown`, naming those there are. */
export function collectionNamed<C>(collections: ReadonlyMap<string, C>, name: string): C {
  const found = collections.get(name);
  if (found === undefined) {
    throw new MedleyError("collection_unknown", `there is no collection "${name}"`, {
      mend: `configured: ${[...collections.keys()].join(", ")}`,
    });
  }
  return found;
}

/** The stage `produce`, first half: checks inputs against their schema and gives versions to those that have none. */
export function checkInputs(
  ports: Pick<ProducePorts, "versions" | "counters">,
  collection: Collection,
  inputs: readonly Input[],
): Checked {
  const envelopes: RecordEnvelope[] = [];
  const rejected: Rejection[] = [];
  const nowMs = ports.versions.nowMs();
  for (const [index, input] of inputs.entries()) {
    const { value, source, textual, version: given, acceptedAtMs = nowMs, trace } = input;
    const arrivalVersion = given === undefined ? ports.versions.next() : version(given);
    const parsed = parseRecord(collection, value, { source, textual, arrivalVersion });
    if (parsed.ok)
      envelopes.push({ ...parsed.value, acceptedAtMs, ...(trace === undefined ? {} : { trace }) });
    else rejected.push({ index, ...parsed.failure });
  }
  const counters = ports.counters.stages.produce;
  counters.received += inputs.length;
  counters.rejected += rejected.length;
  countFailures(counters, rejected);
  return { envelopes, rejected };
}

/** A rejected input as it is kept. */
export interface RejectedInput {
  readonly source: string;
  readonly payload: Uint8Array;
  /** The version it would have had. Default: none; its replay then takes the time at which it was kept. */
  readonly version?: bigint;
  /** W3C `traceparent` of what it came with. */
  readonly trace?: string;
}

/** A rejected input as a dead letter, for lanes that have nobody to answer to. */
export function deadLetterOfRejection(
  { id, code, message }: Omit<Rejection, "index">,
  { source, payload, version: given, trace }: RejectedInput,
  where: { collection: string; runId: string | null },
): DeadLetter {
  return {
    ...where,
    recordId: id,
    version: given ?? null,
    stage: "produce",
    code,
    reason: message,
    payload,
    source,
    attempt: 1,
    trace: trace ?? null,
  };
}

/**
 * The stage `produce`, second half: resolves when the envelopes are durable: a chunk in the backfill's lane, others in the
 * stream's. Throws `overloaded` while the lane is full: the caller waits and tries again.
 *
 * More than fit one packet are sent as several, in order: `onDurable` is told of each how many envelopes it had. Where a
 * later one fails, those before it stay: sending all of them again is harmless.
 */
export async function send(
  ports: Pick<ProducePorts, "lanes" | "counters" | "backlogPacketsMax">,
  collection: Collection,
  envelopes: readonly RecordEnvelope[],
  chunk: ChunkRef | null = null,
  onDurable: (envelopes: number) => void = () => {},
): Promise<void> {
  const transport = ports.lanes[chunk === null ? "stream" : "backfill"];
  // What was embedded counts until it is indexed, or it would pile up where nobody looks.
  const backlogs = await Promise.all(
    channels.map((channel) => transport.backlog(channel, { ageMsMax: backlogAgeMsMax })),
  );
  const waiting = backlogs.reduce((sum, backlog) => sum + backlog.waiting, 0);
  const waitingMax = ports.backlogPacketsMax * (transport.unit === "packets" ? 1 : packetRecordsMax);
  if (waiting >= waitingMax) {
    throw new MedleyError(
      "overloaded",
      `${waiting} ${transport.unit} wait to be embedded or indexed, at most ${waitingMax} may`,
      { mend: "send again in a moment, or run more embedding-workers or indexers" },
    );
  }
  const options = chunk === null ? {} : { key: `${chunk.runId}-${chunk.chunk}` };
  for (const part of chunk === null ? packetsOf(envelopes) : [envelopes]) {
    const packet = { collection: collection.name, envelopes: part, chunk };
    await asStage(ports.counters, { stage: "produce", packet, attempt: 1 }, (span) =>
      transport.send("records", withOrigin(packet, traceparentOf(span)), options),
    );
    ports.counters.stages.produce.sent += part.length;
    onDurable(part.length);
  }
}

/** Records that came with no trace of their own belong to that of their sending. */
function withOrigin(packet: Packet<RecordEnvelope>, trace: string | undefined): Packet<RecordEnvelope> {
  if (trace === undefined || packet.envelopes.every((envelope) => envelope.trace !== undefined))
    return packet;
  return { ...packet, envelopes: packet.envelopes.map((envelope) => ({ trace, ...envelope })) };
}

function* packetsOf(envelopes: readonly RecordEnvelope[]): Generator<readonly RecordEnvelope[]> {
  const room = new PacketRoom();
  let start = 0;
  for (const [index, { fields }] of envelopes.entries()) {
    if (room.take(charsOf(fields))) continue;
    yield envelopes.slice(start, index);
    start = index;
  }
  if (start < envelopes.length) yield envelopes.slice(start);
}
