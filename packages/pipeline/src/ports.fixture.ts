import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import {
  type Backlog,
  type Channel,
  type ChannelPackets,
  type ChunkRef,
  type Classifier,
  type Collection,
  checkConfig,
  type DeadLetter,
  type Delivery,
  type EncodeResult,
  type Encoder,
  type EventEnvelope,
  envelopeOfEvent,
  fail,
  MedleyError,
  type RecordEnvelope,
  type RecordFields,
  type Store,
  type StoredSegments,
  succeed,
  type UserEvent,
  type VectorEnvelope,
  type Version,
  version,
  type WriteOutcome,
} from "@medley/core";
import { collectionEncoders } from "./collection-encoders.ts";

/** Two texts, each a space of its own. */
export const notes = checkConfig({
  collections: {
    notes: {
      version: "v",
      fields: { title: "text", body: "text" },
      spaces: { title: { encoder: "text", field: "title" }, body: { encoder: "text", field: "body" } },
    },
  },
})[0] as Collection;

export const stubDimensions = 4;

/** A segment that only this text has, exact in half precision. Not of unit length: nothing here looks at that. */
export function segmentOf(text: string): Float32Array {
  const hash = createHash("sha256").update(text).digest();
  return Float32Array.from({ length: stubDimensions }, (_, at) => 1 + (hash.readUInt16BE(2 * at) >> 6));
}

/** The fused vector of a record of `notes`. */
export function vectorOf(fields: RecordFields): Float16Array {
  const none = new Float32Array(stubDimensions);
  const segments = ["title", "body"].map((name) => fields[name]);
  return Float16Array.from(
    segments.flatMap((text) => [...(typeof text === "string" ? segmentOf(text) : none)]),
  );
}

/**
 * Writes which text it was given into the segment. "bad" it refuses, with "kill" in a batch it breaks down as a thread
 * would, and while `unavailable` it can't run.
 */
export class StubEncoder implements Encoder {
  readonly dimensions = stubDimensions;
  readonly identity: string;
  readonly usesModel = true;
  classifier: Classifier | undefined;
  readonly batches: string[][] = [];
  unavailable = false;
  broken = false;
  /** Calls that break down whatever they are given, counted from 1. */
  readonly breaksAt = new Set<number>();

  constructor(identity: string) {
    this.identity = identity;
  }

  async encode(values: readonly unknown[]): Promise<readonly EncodeResult[]> {
    this.batches.push(values as string[]);
    const breaks = this.broken || this.breaksAt.has(this.batches.length);
    if (breaks || values.some((value) => String(value).includes("kill"))) {
      throw new MedleyError("encoder_unavailable", "the thread died");
    }
    return values.map((value) => {
      if (this.unavailable) return fail({ code: "encoder_unavailable", message: "no memory just now" });
      if (String(value).includes("bad"))
        return fail({ code: "encoder_failed", message: "can't be read", mend: "cut it" });
      if (String(value).includes("nan")) return succeed(Float32Array.of(1, Number.NaN, 0, 0));
      return succeed(segmentOf(String(value)));
    });
  }

  encodeQuery(): Promise<Float32Array> {
    return assert.fail("nothing is searched here");
  }

  get texts(): string[] {
    return this.batches.flat();
  }
}

export function openNotes() {
  const encoders = [new StubEncoder("title-1"), new StubEncoder("body-1")] as const;
  const opened = collectionEncoders(notes, encoders);
  return { title: encoders[0], body: encoders[1], opened, collections: new Map([["notes", opened]]) };
}

/** The port `Store` as its contract has it, in memory. What holds "unstorable" is refused, as Postgres would. */
export class MemoryStore implements Store {
  readonly rows = new Map<string, VectorEnvelope>();
  readonly events = new Map<string, UserEvent>();
  readonly letters = new Map<string, DeadLetter>();
  readonly chunks = new Map<string, ChunkRef["settled"]>();
  /** `id@version` of each write that changed a row. */
  readonly effects: string[] = [];
  readonly batches: number[] = [];

  async readSegments(
    _collection: string,
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, StoredSegments>> {
    const found = ids.map((id) => this.rows.get(id)).filter((row) => row !== undefined);
    return new Map(found.map((row) => [row.id, { ...row, deleted: row.op === "delete" }]));
  }

  async writeRows(
    _collection: string,
    envelopes: readonly VectorEnvelope[],
    chunk: ChunkRef | null,
  ): Promise<readonly WriteOutcome[]> {
    assert.equal(new Set(envelopes.map(({ id }) => id)).size, envelopes.length, "an id occurs once");
    this.batches.push(envelopes.length);
    if (envelopes.some(({ fields }) => String(fields.body).includes("unstorable"))) {
      throw new MedleyError("record_invalid", "Postgres refuses a value");
    }
    const outcomes = envelopes.map((envelope) => this.#write(envelope));
    const key = `${chunk?.runId}-${chunk?.chunk}`;
    if (chunk !== null && !this.chunks.has(key)) {
      const counted = (outcome: WriteOutcome) => outcomes.filter((one) => one === outcome).length;
      this.chunks.set(key, {
        indexed: chunk.settled.indexed + counted("indexed"),
        tombstoned: chunk.settled.tombstoned + counted("tombstoned"),
        superseded: chunk.settled.superseded + counted("superseded"),
        deadLetters: chunk.settled.deadLetters,
      });
    }
    return outcomes;
  }

  #write(envelope: VectorEnvelope): WriteOutcome {
    const row = this.rows.get(envelope.id);
    if (row === undefined || envelope.version > row.version) {
      this.rows.set(envelope.id, envelope);
      this.effects.push(`${envelope.id}@${envelope.version}`);
    } else if (envelope.version < row.version) return "superseded";
    return this.rows.get(envelope.id)?.op === "delete" ? "tombstoned" : "indexed";
  }

  /** What holds "unstorable" is refused, as Postgres would. */
  async writeEvents(_collection: string, events: readonly UserEvent[]): Promise<readonly WriteOutcome[]> {
    if (events.some(({ item }) => item.includes("unstorable"))) {
      throw new MedleyError("record_invalid", "Postgres refuses a value");
    }
    for (const event of events) this.events.set(`${event.user}/${event.eventId}`, event);
    return events.map(() => "indexed");
  }

  async addDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    for (const letter of letters) {
      const { recordId, version, stage, source } = letter;
      this.letters.set(JSON.stringify([recordId, String(version), stage, source]), letter);
    }
  }
}

/** Keeps what it is sent, `failsAfter` packets at most. */
export class SentPackets {
  readonly unit = "packets";
  readonly sent: { channel: Channel; packet: ChannelPackets[Channel]; key: string | undefined }[] = [];
  readonly waiting = { records: 0, vectors: 0 };
  failsAfter = Number.POSITIVE_INFINITY;

  async send<C extends Channel>(
    channel: C,
    packet: ChannelPackets[C],
    options: { key?: string } = {},
  ): Promise<void> {
    if (this.sent.length >= this.failsAfter) throw new MedleyError("transport_unavailable", "it is away");
    this.sent.push({ channel, packet, key: options.key });
  }
  async backlog(channel: Channel): Promise<Backlog> {
    return { waiting: this.waiting[channel], inFlight: 0 };
  }
  get vectors(): VectorEnvelope[] {
    return this.sent
      .filter(({ channel }) => channel === "vectors")
      .flatMap(({ packet }) => packet.envelopes) as VectorEnvelope[];
  }
}

export function upsert(
  id: string,
  v: number,
  fields: { title?: string; body?: string } = {},
): RecordEnvelope {
  const { title = null, body = null } = fields;
  return {
    id,
    version: version(BigInt(v)) as Version,
    op: "upsert",
    fields: { title, body },
    source: `notes.csv:${v}`,
  };
}

export function remove(id: string, v: number): RecordEnvelope {
  return { id, version: version(BigInt(v)), op: "delete", fields: {}, source: `notes.csv:${v}` };
}

export function like(user: string, item: string, v: number): EventEnvelope {
  const event = { user, eventId: `${item}-${v}`, item, kind: "like", atMs: v, version: version(BigInt(v)) };
  return envelopeOfEvent(event, `events.jsonl:${v}`);
}

export function delivery<E extends RecordEnvelope>(
  envelopes: readonly E[],
  {
    attempt = 1,
    chunk = null,
    ...rest
  }: { attempt?: number; chunk?: ChunkRef | null; report?: (done: number) => void } = {},
): Delivery<E extends VectorEnvelope ? "vectors" : "records"> {
  return { packet: { collection: "notes", envelopes, chunk }, attempt, ...rest } as never;
}
