import { MedleyError } from "@medley/core";
import { withDeadline } from "../deadline.ts";
import { systemTimers, type Timers } from "../timers.ts";
import type { KafkaAdmin, KafkaClient, PartitionEnds, TopicSettings } from "./kafka-client.ts";
import { kafkaFault } from "./kafka-fault.ts";

const answerTimeoutMs = 10_000;
/** Brokers that have just elected a leader, or lost a connection, answer the next time. */
const triesMax = 3;
const retryPauseMs = 300;

/** Questions to the brokers, each answered within ten seconds or so, or refused as `transport_unavailable`. */
export class Brokers {
  readonly #client: KafkaClient;
  readonly #timers: Timers;
  #admin: Promise<KafkaAdmin> | null = null;
  #closed = false;

  constructor(client: KafkaClient, timers = systemTimers) {
    this.#client = client;
    this.#timers = timers;
  }

  /** Makes the topic unless it is there. */
  async ensureTopic(topic: string, settings: TopicSettings): Promise<void> {
    await this.#ask(`making topic ${topic}`, async (admin) => {
      if (!(await admin.hasTopic(topic))) await admin.createTopic(topic, settings);
    });
  }

  /** Throws `transport_unavailable` also where the topic is missing. */
  async requireTopic(topic: string): Promise<void> {
    if (await this.#ask(`looking for topic ${topic}`, (admin) => admin.hasTopic(topic))) return;
    throw new MedleyError("transport_unavailable", `Kafka has no topic ${topic}, or does not show it`, {
      mend: "make the topic, or let this user describe it",
    });
  }

  /** Of a topic's partitions: what they hold, and what the group has committed. */
  async standing(
    topic: string,
    group: string,
  ): Promise<readonly (PartitionEnds & { committed: bigint | null })[]> {
    return this.#ask(`counting topic ${topic}`, async (admin) => {
      // In this order what is committed is never beyond an end that was asked for before it.
      const committed = await admin.committed(group, topic);
      const ends = await admin.ends(topic);
      return ends.map((end, partition) => ({ ...end, committed: committed[partition] ?? null }));
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#forget();
  }

  async #ask<Answer>(what: string, ask: (admin: KafkaAdmin) => Promise<Answer>): Promise<Answer> {
    const startedAtMs = this.#timers.nowMs();
    for (let tries = 1; ; tries += 1) {
      if (this.#closed) throw new MedleyError("transport_unavailable", "the connection to Kafka is closed");
      this.#admin ??= this.#client.openAdmin();
      const admin = this.#admin;
      try {
        return await withDeadline(admin.then(ask), answerTimeoutMs, this.#timers);
      } catch (error) {
        // Another question may have met the fault first, and opened a new one.
        if (this.#admin === admin) void this.#forget();
        const isLate = this.#timers.nowMs() - startedAtMs > answerTimeoutMs / 2;
        if (tries === triesMax || isLate) throw kafkaFault(error, what);
        await new Promise<void>((resolve) => this.#timers.after(retryPauseMs, resolve));
      }
    }
  }

  async #forget(): Promise<void> {
    const admin = this.#admin;
    this.#admin = null;
    const closed = Promise.resolve(admin?.then((open) => open.close()));
    await withDeadline(closed, answerTimeoutMs, this.#timers).catch(() => {});
  }
}
