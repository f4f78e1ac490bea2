import type {
  Channel,
  ChunkRef,
  DeadLetter,
  OutcomeCounts,
  RecordEnvelope,
  VectorEnvelope,
} from "@medley/core";
import { poisonedStage, vectorOf } from "./notes.ts";
import type { World } from "./world.ts";

/** An input that a producer tried to send. */
interface Attempt {
  readonly envelope: RecordEnvelope;
  readonly poisoned: "embed" | "index" | null;
  /** The producer was told that it is durable. */
  accepted: boolean;
}

/** What the world knows of one record id, whatever the store remembers. */
interface Known {
  /** By version; of equal versions, whatever was tried with it. */
  readonly attempts: Map<bigint, Attempt[]>;
  /** Of the rows written: each one above the one before. */
  readonly written: Set<bigint>;
  readonly letters: Set<bigint>;
  rowVersion: bigint;
  /** Versions that were durable on their way to the indexer. */
  readonly vectors: Set<bigint>;
  /** Versions that were delivered together with a higher one, which then stands for them even if it becomes a dead letter. */
  readonly overtaken: Set<bigint>;
}

/** Holds the run to the promises P1 to P6: what it is told of is compared with what was tried, and the first mismatch ends the run. */
export class Judge {
  readonly #world: World;
  readonly #known = new Map<string, Known>();
  /** By run and chunk: how many inputs it was made of. */
  readonly #chunks = new Map<string, number>();
  readonly #chunkOutcomes = new Map<string, OutcomeCounts>();
  /** Sources of inputs that a backfill could not read. */
  readonly #invalid = new Set<string>();
  readonly #invalidLetters = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Envelopes are about to be sent. */
  attempt(envelopes: readonly RecordEnvelope[]): void {
    for (const envelope of envelopes) {
      const { attempts } = this.#of(envelope.id);
      const same = attempts.get(envelope.version) ?? [];
      attempts.set(envelope.version, same);
      if (same.some((one) => sameContent(one.envelope, envelope))) continue;
      const poisoned = envelope.op === "upsert" ? poisonedStage(envelope.fields) : null;
      same.push({ envelope, poisoned: poisoned as Attempt["poisoned"], accepted: false });
    }
  }

  attemptChunk({ runId, chunk }: ChunkRef, inputs: number, invalidSources: readonly string[]): void {
    this.#chunks.set(`${runId}-${chunk}`, inputs);
    for (const source of invalidSources) this.#invalid.add(source);
  }

  /** `send` has resolved. */
  accept(envelopes: readonly RecordEnvelope[]): void {
    for (const envelope of envelopes) {
      for (const attempt of this.#of(envelope.id).attempts.get(envelope.version) ?? []) {
        if (sameContent(attempt.envelope, envelope)) attempt.accepted = true;
      }
    }
  }

  /** A stage is given these at once. */
  delivered(envelopes: readonly RecordEnvelope[]): void {
    if (envelopes.length === 1) return;
    const newest = new Map<string, bigint>();
    for (const { id, version } of envelopes) {
      if (version > (newest.get(id) ?? -1n)) newest.set(id, version);
    }
    if (newest.size === envelopes.length) return;
    for (const { id, version } of envelopes) {
      if (version !== newest.get(id)) this.#of(id).overtaken.add(version);
    }
  }

  /** Packets or messages of the channel are durable. */
  durable(channel: Channel, envelopes: readonly RecordEnvelope[]): void {
    if (channel === "records") return;
    for (const { id, version } of envelopes) this.#of(id).vectors.add(version);
  }

  /** The channel forgets these: what comes of them must be durable elsewhere by now. */
  forgotten(channel: Channel, envelopes: readonly RecordEnvelope[], how: string): void {
    const early = envelopes.find((envelope) => !this.isSettled(channel, envelope));
    if (early === undefined) return;
    const what = `${early.id}@${early.version} of channel ${channel}`;
    this.#world.violate("P1", `${how}: ${what} was forgotten too early`);
  }

  /** What comes of the channel's record is durable, so that the channel needs it no more. */
  isSettled(channel: Channel, { id, version }: RecordEnvelope): boolean {
    const { rowVersion, vectors, letters, overtaken } = this.#of(id);
    if (rowVersion >= version || letters.has(version) || overtaken.has(version)) return true;
    return channel === "records" && vectors.has(version);
  }

  /** A row is committed. */
  wrote(envelope: VectorEnvelope): void {
    const { id, version } = envelope;
    const known = this.#of(id);
    const wrong = wrongWith(envelope, known);
    if (wrong !== null) this.#world.violate(wrong.promise, `${id}@${version} ${wrong.what}`);
    known.written.add(version);
    known.rowVersion = version;
  }

  lettered({ recordId, version, stage, source }: DeadLetter): void {
    if (stage === "produce") {
      if (!this.#invalid.has(source))
        this.#world.violate("P6", `${source} is a dead letter, and there is nothing wrong with it`);
      this.#invalidLetters.add(source);
      return;
    }
    const known = this.#of(recordId as string);
    const at = version as bigint;
    if (!known.attempts.get(at)?.some(({ poisoned }) => poisoned === stage)) {
      const what = `${recordId}@${at} is a dead letter of stage ${stage}`;
      this.#world.violate("P6", `${what}, and there is nothing wrong with it there`);
    }
    known.letters.add(at);
  }

  chunkDone(chunk: ChunkRef, outcomes: OutcomeCounts): void {
    this.#chunkOutcomes.set(`${chunk.runId}-${chunk.chunk}`, outcomes);
  }

  /** All is drained: every accepted input ended as exactly one of the four. `rowOf`: the version and op that a reader finds. */
  drained(rowOf: (id: string) => { version: bigint; op: string } | undefined): void {
    for (const [id, known] of this.#known) {
      const row = rowOf(id);
      if ((row?.version ?? -1n) !== known.rowVersion) {
        this.#world.violate("P3", `the row of ${id} is ${row?.version}, after one at ${known.rowVersion}`);
      }
      for (const [version, attempts] of known.attempts) this.#checkEnd(id, version, attempts, known);
    }
    for (const [name, inputs] of this.#chunks) {
      const counts = this.#chunkOutcomes.get(name);
      const total = Object.values(counts ?? {}).reduce((sum, count) => sum + count, 0);
      if (total !== inputs)
        this.#world.violate("P1", `chunk ${name} of ${inputs}: outcomes ${JSON.stringify(counts)}`);
    }
    for (const source of this.#invalid) {
      if (!this.#invalidLetters.has(source))
        this.#world.violate("P1", `${source} can't be read and is no dead letter`);
    }
  }

  #checkEnd(id: string, version: bigint, attempts: readonly Attempt[], known: Known): void {
    const superseded = known.rowVersion > version || known.overtaken.has(version);
    for (const { accepted, poisoned } of attempts) {
      if (!accepted) continue;
      const isLetter = known.letters.has(version);
      const isWritten = known.rowVersion === version;
      if (isLetter && isWritten && attempts.length === 1)
        this.#world.violate("P1", `${id}@${version} is both a row and a dead letter`);
      const settled = superseded || isLetter || isWritten;
      if (!settled) this.#world.violate("P1", `${id}@${version} was accepted and is lost`);
      if (poisoned === null && isLetter && attempts.length === 1)
        this.#world.violate("P6", `${id}@${version} is a dead letter for another's fault`);
    }
  }

  #of(id: string): Known {
    let known = this.#known.get(id);
    if (known === undefined) {
      known = {
        attempts: new Map(),
        written: new Set(),
        letters: new Set(),
        rowVersion: -1n,
        vectors: new Set(),
        overtaken: new Set(),
      };
      this.#known.set(id, known);
    }
    return known;
  }
}

/** What is wrong with writing this row now. */
function wrongWith(
  envelope: VectorEnvelope,
  { rowVersion, written, attempts }: Known,
): { promise: string; what: string } | null {
  const { version } = envelope;
  if (version < rowVersion) return { promise: "P3", what: `was written over ${rowVersion}` };
  if (written.has(version)) return { promise: "P2", what: "was written a second time" };
  const attempt = attempts.get(version)?.find((one) => sameContent(one.envelope, envelope));
  if (attempt === undefined) return { promise: "P4", what: "was written with content that nobody sent" };
  if (attempt.poisoned !== null) return { promise: "P1", what: "can't be processed and was written" };
  const expected = envelope.op === "delete" ? noVector : vectorOf(envelope.fields);
  return sameVector(envelope.vector, expected)
    ? null
    : { promise: "P4", what: "has another content's vector" };
}

const noVector = new Float16Array(0);

function sameContent(a: RecordEnvelope, b: RecordEnvelope): boolean {
  return a.op === b.op && a.fields.title === b.fields.title && a.fields.body === b.fields.body;
}

/** Bit for bit. */
function sameVector(a: Float16Array, b: Float16Array): boolean {
  return a.length === b.length && a.every((value, at) => Object.is(value, b[at]));
}
