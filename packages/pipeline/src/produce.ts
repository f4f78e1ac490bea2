import {
  type ChunkRef,
  type Collection,
  type DeadLetter,
  type Lane,
  MedleyError,
  packetRecordsMax,
  parseRecord,
  type RecordEnvelope,
  type Transport,
  type VersionClock,
  version,
} from "@medley/core";
import type { PipelineCounters } from "./counters.ts";
import { charsOf, PacketRoom } from "./packet-room.ts";

/** Producers are slowed by how full a lane is, which so short a time does not change much. */
const backlogAgeMsMax = 500;

export interface ProducePorts {
  readonly collections: ReadonlyMap<string, Collection>;
  readonly lanes: Readonly<Record<Lane, Pick<Transport, "unit" | "send" | "backlog">>>;
  readonly versions: VersionClock;
  readonly counters: PipelineCounters;
  /** Packets that may wait for the embedding-worker before producers are slowed (promise P5). */
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
  /** See `RecordEnvelope`. */
  readonly acceptedAtMs?: number;
  readonly trace?: string;
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
  for (const [index, { value, source, textual, version: given, acceptedAtMs, trace }] of inputs.entries()) {
    const arrivalVersion = given === undefined ? ports.versions.next() : version(given);
    const parsed = parseRecord(collection, value, { source, textual, arrivalVersion });
    const origin = {
      ...(acceptedAtMs === undefined ? {} : { acceptedAtMs }),
      ...(trace === undefined ? {} : { trace }),
    };
    if (parsed.ok) envelopes.push({ ...parsed.value, ...origin });
    else rejected.push({ index, ...parsed.failure });
  }
  ports.counters.stages.produce.received += inputs.length;
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
 */
export async function send(
  ports: Pick<ProducePorts, "lanes" | "counters" | "backlogPacketsMax">,
  collection: Collection,
  envelopes: readonly RecordEnvelope[],
  chunk: ChunkRef | null = null,
): Promise<void> {
  const transport = ports.lanes[chunk === null ? "stream" : "backfill"];
  const { waiting } = await transport.backlog("records", { ageMsMax: backlogAgeMsMax });
  const waitingMax = ports.backlogPacketsMax * (transport.unit === "packets" ? 1 : packetRecordsMax);
  if (waiting >= waitingMax) {
    throw new MedleyError(
      "overloaded",
      `${waiting} ${transport.unit} wait to be embedded, at most ${waitingMax} may`,
      { mend: "send again in a moment, or run more embedding-workers" },
    );
  }
  if (chunk !== null) {
    const key = `${chunk.runId}-${chunk.chunk}`;
    await transport.send("records", { collection: collection.name, envelopes, chunk }, { key });
  } else {
    for (const part of packetsOf(envelopes)) {
      await transport.send("records", { collection: collection.name, envelopes: part, chunk });
    }
  }
  ports.counters.stages.produce.sent += envelopes.length;
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
