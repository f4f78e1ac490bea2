import type { Collection, DeadLetter, RecordEnvelope, Store, TopicMessage, TopicSource } from "@medley/core";
import {
  bisect,
  checkInputs,
  deadLetterOf,
  deadLetterOfRejection,
  type Input,
  type ProducePorts,
  send,
} from "@medley/pipeline";
import { keepMessage, type MappedMessage, mapMessage, noMemory, type PartitionMemory } from "@medley/sources";
import { sendWhenRoom } from "./send-when-room.ts";

export interface TopicReceiverPorts {
  readonly produce: ProducePorts;
  readonly store: Pick<Store, "addDeadLetters">;
}

type MappedRecord = Extract<MappedMessage, { kind: "record" }>;

/** What a call of `receive` made of its messages. */
interface Sorted {
  readonly inputs: Input[];
  readonly letters: DeadLetter[];
  readonly memory: PartitionMemory;
}

/**
 * Makes messages of a source's topic into records in the stream's lane. State: per partition what its last message leaves behind
 * (`PartitionMemory`), which counts only once the messages are done, so that the same ones give the same when they come again. It
 * holds one small object for each partition that this process ever had.
 */
export class TopicReceiver {
  readonly #ports: TopicReceiverPorts;
  readonly #collection: Collection;
  readonly #source: TopicSource;
  readonly #memories = new Map<number, PartitionMemory>();

  constructor(ports: TopicReceiverPorts, collection: Collection, source: TopicSource) {
    this.#ports = ports;
    this.#collection = collection;
    this.#source = source;
  }

  /**
   * Of one partition, in order. Resolves when every message is durable in the lane or as a dead letter; while the lane is full it
   * waits. Rejects where the lane or the store is away, and when the signal aborts: the messages are to come again.
   */
  async receive(messages: readonly TopicMessage[], signal: AbortSignal): Promise<void> {
    const [first] = messages;
    if (first === undefined) return;
    const { inputs, letters, memory } = this.#sort(messages, this.#memories.get(first.partition) ?? noMemory);
    const { envelopes, rejected } = checkInputs(this.#ports.produce, this.#collection, inputs);
    for (const rejection of rejected) {
      const { value, source, version = null } = inputs[rejection.index] as Input;
      // As mapped, so that it can be replayed; with the version it has, so that a replay does not overtake what came later.
      const payload = Buffer.from(JSON.stringify(value));
      letters.push({ ...deadLetterOfRejection(rejection, { source, payload }, this.#where), version });
    }
    signal.throwIfAborted();
    letters.push(...(await this.#sendEach(envelopes, signal)));
    if (letters.length > 0) await this.#ports.store.addDeadLetters(letters);
    this.#ports.produce.counters.stages.produce.deadLetters += letters.length;
    this.#memories.set(first.partition, memory);
  }

  get #where() {
    return { collection: this.#collection.name, runId: null };
  }

  #sort(messages: readonly TopicMessage[], before: PartitionMemory): Sorted {
    const inputs: Input[] = [];
    const letters: DeadLetter[] = [];
    const nowMs = Date.now();
    let memory = before;
    for (const message of messages) {
      const result = mapMessage(this.#source, this.#collection, message, { memory, nowMs });
      memory = result.memory;
      const { mapped } = result;
      if (mapped.kind === "record") inputs.push(inputOf(mapped, message));
      if (mapped.kind === "refused") {
        const rejection = { id: mapped.recordId, code: mapped.code, message: mapped.reason };
        const input = { source: mapped.source, payload: keepMessage(message) };
        const { version } = mapped;
        letters.push({ ...deadLetterOfRejection(rejection, input, this.#where), version });
      }
    }
    this.#ports.produce.counters.stages.produce.received += letters.length;
    return { inputs, letters, memory };
  }

  /** Sends all; what the lane does not take however often it is tried (too large) stands alone as a dead letter. */
  async #sendEach(envelopes: readonly RecordEnvelope[], signal: AbortSignal): Promise<readonly DeadLetter[]> {
    const failed = await bisect(envelopes, async (part) => {
      const isSent = await sendWhenRoom(signal, () => send(this.#ports.produce, this.#collection, part));
      if (!isSent) throw signal.reason;
    });
    const where = { ...this.#where, stage: "produce" as const, attempt: 1 };
    return failed.map(({ item, error }) => deadLetterOf(item, where, error));
  }
}

const traceparentPattern = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

function inputOf({ value, version, source }: MappedRecord, message: TopicMessage): Input {
  const { traceparent } = message.headers;
  return {
    value,
    source,
    textual: false,
    acceptedAtMs: message.timestampMs,
    ...(version === null ? {} : { version }),
    ...(traceparent !== undefined && traceparentPattern.test(traceparent) ? { trace: traceparent } : {}),
  };
}
