import { setTimeout as sleep } from "node:timers/promises";
import {
  type Collection,
  type DeadLetterStore,
  type DeadLetterWhere,
  packetRecordsMax,
  type StoredDeadLetter,
  versionAt,
} from "@medley/core";
import { checkInputs, type Input, type ProducePorts, send } from "@medley/pipeline";
import { replayedMessage } from "../ingest/replay-message.ts";
import { sendWhenRoom } from "../ingest/send-when-room.ts";

export interface ReplayOptions {
  readonly store: Pick<DeadLetterStore, "listDeadLetters" | "markReplayed">;
  readonly produce: ProducePorts;
  readonly where: DeadLetterWhere;
  /** Letters that come while this runs are left for another time. */
  readonly lastDeadLetterId: number;
  readonly lettersMax: number;
  /** JSON that takes the place of the letters' records. Default: null, each its own. */
  readonly mended?: string | null;
  /** Default: as fast as there is room in the lane. */
  readonly recordsPerSecond?: number | null;
  readonly onProgress?: (done: number) => void;
  /** Aborted: finish the letters in hand and return. */
  readonly signal: AbortSignal;
}

export interface Refusal {
  readonly deadLetterId: number;
  readonly reason: string;
}

export interface ReplayResult {
  readonly replayed: number;
  readonly refused: number;
  /** The first of them. */
  readonly refusals: readonly Refusal[];
  readonly interrupted: boolean;
}

const refusalsMax = 100;
// At a given rate pages are as small as keeps the flow steady.
const pagesPerSecond = 2;

/**
 * Sends dead letters through the pipeline again, oldest first, a page at a time: what is sent is marked before the next page
 * is read, so that it can be broken off and begun again anywhere. A full lane is waited for.
 *
 * A letter keeps the version it had, or takes that of the time at which it was kept: what came later is newer, and stays.
 */
export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const { store, where, lastDeadLetterId, lettersMax, signal, onProgress = () => {} } = options;
  const rate = options.recordsPerSecond ?? null;
  const pageMax =
    rate === null ? packetRecordsMax : Math.min(Math.ceil(rate / pagesPerSecond), packetRecordsMax);
  const startedAtMs = performance.now();
  const refusals: Refusal[] = [];
  let [replayed, refused, after] = [0, 0, 0];
  while (!signal.aborted && replayed + refused < lettersMax) {
    const limit = Math.min(pageMax, lettersMax - replayed - refused);
    const page = { where, oldestFirst: true, after, upTo: lastDeadLetterId, limit };
    const letters = await store.listDeadLetters(page);
    if (letters.length === 0) break;
    const sent = await sendLetters(options, letters);
    if (sent === null) break;
    await store.markReplayed(sent.accepted);
    replayed += sent.accepted.length;
    refused += sent.refusals.length;
    refusals.push(...sent.refusals.slice(0, refusalsMax - refusals.length));
    after = letters.at(-1)?.deadLetterId ?? after;
    onProgress(replayed + refused);
    if (rate !== null) {
      const dueAtMs = startedAtMs + ((replayed + refused) / rate) * 1_000;
      await sleep(Math.max(dueAtMs - performance.now(), 0), undefined, { signal }).catch(() => {});
    }
  }
  const interrupted = signal.aborted && replayed + refused < lettersMax;
  return { replayed, refused, refusals, interrupted };
}

interface Sent {
  readonly accepted: readonly StoredDeadLetter[];
  readonly refusals: readonly Refusal[];
}

/** Null: asked to stop while waiting for room. */
async function sendLetters(
  options: ReplayOptions,
  letters: readonly StoredDeadLetter[],
): Promise<Sent | null> {
  const { produce, mended = null, signal } = options;
  const accepted: StoredDeadLetter[] = [];
  const refusals: Refusal[] = [];
  for (const [name, ofCollection] of Map.groupBy(letters, ({ collection }) => collection)) {
    const collection = produce.collections.get(name);
    const inputs: Input[] = [];
    const readable: StoredDeadLetter[] = [];
    for (const letter of ofCollection) {
      const { deadLetterId } = letter;
      const input =
        collection === undefined
          ? `collection "${name}" is not configured`
          : inputOf(letter, collection, mended);
      if (typeof input === "string") refusals.push({ deadLetterId, reason: input });
      else {
        inputs.push(input);
        readable.push(letter);
      }
    }
    if (collection === undefined || inputs.length === 0) continue;
    const { envelopes, rejected } = checkInputs(produce, collection, inputs);
    const reasons = new Map(rejected.map(({ index, message }) => [index, message]));
    if (!(await sendWhenRoom(signal, () => send(produce, collection, envelopes)))) return null;
    for (const [index, letter] of readable.entries()) {
      const reason = reasons.get(index);
      if (reason === undefined) accepted.push(letter);
      else refusals.push({ deadLetterId: letter.deadLetterId, reason });
    }
  }
  return { accepted, refusals };
}

/** As text why there is no record in it. */
function inputOf(letter: StoredDeadLetter, collection: Collection, mended: string | null): Input | string {
  const message = mended === null ? replayedMessage(letter, collection) : null;
  if (message !== null) return message;
  let value: unknown;
  try {
    value = JSON.parse(mended ?? Buffer.from(letter.payload).toString("utf8"));
  } catch {
    return "it is no JSON object; give the mended record with --record";
  }
  // Rows of a CSV file were kept as strings; strings that stand for other types do no harm in the others.
  const textual = letter.stage === "produce";
  return { value, source: letter.source, textual, version: letter.version ?? versionAt(letter.createdAtMs) };
}
