import type {
  GroupMember,
  GroupOptions,
  KafkaAdmin,
  KafkaClient,
  KafkaProducer,
  LogPartitionId,
  MemberEvents,
  NewMessage,
} from "@medley/transport/state-machines";
import { GroupError, type Joined } from "./consumer-group.ts";
import type { Life } from "./host.ts";
import type { Fetched, SimulatedLog } from "./log.ts";

/** A process's client of the log, as `kafkajs` behaves: what is above it is the real transport. */
export class LogClient implements KafkaClient {
  readonly #log: SimulatedLog;
  readonly #life: Life;

  constructor(log: SimulatedLog, life: Life) {
    this.#log = log;
    this.#life = life;
  }

  async openAdmin(): Promise<KafkaAdmin> {
    const log = this.#log;
    const ask = <Value>(what: string, value: () => Value) =>
      this.#life.call<Value>(log, what, ({ give }) => give(value()));
    await ask("open admin", () => undefined);
    return {
      hasTopic: () => ask("look for topic", () => true),
      createTopic: () => Promise.reject(new Error("the topics are there")),
      ends: (topic) => ask("ends", () => log.endOf(topic).map((next) => ({ first: 0n, next }))),
      committed: (group, topic) =>
        ask("committed", () =>
          log.endOf(topic).map((_, partition) => log.group(group).committed({ topic, partition })),
        ),
      close: async () => {},
    };
  }

  async openProducer(): Promise<KafkaProducer> {
    const log = this.#log;
    const life = this.#life;
    await life.call(log, "open producer", ({ give }) => give(undefined));
    return {
      /** One request per partition, as a broker takes them: some may be written while others fail. */
      async send(topic, messages): Promise<void> {
        const byPartition = new Map<number, NewMessage[]>();
        for (const message of messages) {
          const partition = log.partitionOf(topic, String(message.key));
          const same = byPartition.get(partition);
          if (same === undefined) byPartition.set(partition, [message]);
          else same.push(message);
        }
        const writes = [...byPartition].map(([partition, own]) =>
          life.call(log, `write ${topic}`, ({ give }) => {
            log.append(topic, partition, own);
            give(undefined);
          }),
        );
        const failed = (await Promise.allSettled(writes)).find(({ status }) => status === "rejected");
        if (failed?.status === "rejected") throw failed.reason;
      },
      close: async () => {},
    };
  }

  async join(options: GroupOptions, events: MemberEvents): Promise<GroupMember> {
    await this.#life.call(this.#log, "open consumer", ({ give }) => give(undefined));
    const member = new LogMember(this.#log, this.#life, options, events);
    member.start();
    return member;
  }

  isTooLarge(): boolean {
    return false;
  }
}

const retryMs = 300;
const failuresMax = 6;

/**
 * A member of a group. States: joining -> member -> joining (a rebalance) -> ... -> ended (too many failures, or closed). While it
 * is a member it fetches, and says every `heartbeatIntervalMs` that it is there; it hears of a rebalance only by the answer.
 */
class LogMember implements GroupMember {
  readonly #log: SimulatedLog;
  readonly #life: Life;
  readonly #options: GroupOptions;
  readonly #events: MemberEvents;
  readonly #paused = new Set<number>();
  readonly #positions = new Map<number, bigint>();
  #memberId: string | null = null;
  #generation = -1;
  #failures = 0;
  #ended = false;
  /** Interrupts whatever the reading waits for. */
  #interrupt = Promise.withResolvers<void>();
  #mustJoin = false;

  constructor(log: SimulatedLog, life: Life, options: GroupOptions, events: MemberEvents) {
    this.#log = log;
    this.#life = life;
    this.#options = options;
    this.#events = events;
  }

  start(): void {
    void this.#belong();
    void this.#beat();
  }

  pause({ partition }: LogPartitionId): void {
    this.#paused.add(partition);
  }

  resume({ partition }: LogPartitionId): void {
    this.#paused.delete(partition);
    this.#wake();
  }

  async commit(offsets: readonly (LogPartitionId & { offset: bigint })[]): Promise<void> {
    const { group } = this.#options;
    const memberId = this.#memberId;
    const generation = this.#generation;
    if (memberId === null) throw new GroupError("UNKNOWN_MEMBER_ID");
    await this.#ask("commit", () => this.#log.commit(this.#life, group, { memberId, generation }, offsets));
  }

  async close(): Promise<void> {
    this.#ended = true;
    this.#wake();
    const memberId = this.#memberId;
    if (memberId === null) return;
    await this.#ask("leave", () => this.#log.group(this.#options.group).leave(memberId));
  }

  async #belong(): Promise<void> {
    while (!this.#ended) {
      try {
        await this.#join();
        while (!this.#ended && !this.#mustJoin) await this.#read();
      } catch (error) {
        this.#fail(error);
        await this.#life.sleep(retryMs);
      }
    }
  }

  async #join(): Promise<void> {
    const { group } = this.#options;
    const before = this.#memberId;
    const joined = await this.#life.call<Joined>(this.#log, `join ${group}`, (answer) =>
      this.#log.group(group).join(this.#life, before, answer),
    );
    if (this.#ended) return;
    const continued = joined.memberId === before;
    // As with kafkajs, which tells members by their ids: the answer may be that to a second question.
    if (continued && joined.generation !== this.#generation + 1) this.#log.missedAssignment();
    this.#memberId = joined.memberId;
    this.#generation = joined.generation;
    this.#mustJoin = false;
    this.#positions.clear();
    const [topic] = this.#options.topics as readonly [string];
    this.#log.assigned(this.#life, topic, joined.partitions, { continued });
    this.#events.onAssigned(joined.partitions, { continued });
    const committed = await this.#ask("offsets", () =>
      joined.partitions.map((id) => this.#log.group(group).committed(id)),
    );
    if (joined.generation !== this.#generation) return;
    for (const [at, { partition }] of joined.partitions.entries()) {
      this.#positions.set(partition, committed[at] ?? 0n);
    }
    this.#failures = 0;
  }

  async #read(): Promise<void> {
    const [topic] = this.#options.topics as readonly [string];
    const positions = [...this.#positions]
      .filter(([partition]) => !this.#paused.has(partition))
      .map(([partition, offset]) => ({ topic, partition, offset }));
    this.#interrupt = Promise.withResolvers<void>();
    const interrupted = this.#interrupt.promise.then(() => null);
    if (positions.length === 0) {
      await interrupted;
      return;
    }
    const generation = this.#generation;
    const reading = this.#life.call<readonly Fetched[]>(this.#log, "fetch", (answer) =>
      this.#log.fetch(positions, answer),
    );
    const fetched = await Promise.race([reading, interrupted]);
    reading.catch(() => {});
    if (fetched === null || this.#ended || generation !== this.#generation) return;
    this.#failures = 0;
    for (const { partition, messages, nextOffset } of fetched) {
      if (this.#paused.has(partition)) continue;
      this.#positions.set(partition, nextOffset);
      this.#log.gave(this.#life, { topic, partition }, messages);
      this.#events.onMessages({ topic, partition }, messages, nextOffset);
    }
  }

  async #beat(): Promise<void> {
    const { group, heartbeatIntervalMs } = this.#options;
    while (!this.#ended) {
      await this.#life.sleep(heartbeatIntervalMs);
      const memberId = this.#memberId;
      const generation = this.#generation;
      if (this.#ended || memberId === null) continue;
      try {
        const rejoins = await this.#ask("heartbeat", () =>
          this.#log.group(group).heartbeat(memberId, generation),
        );
        if (rejoins && generation === this.#generation) this.#joinAgain();
      } catch (error) {
        if (generation === this.#generation) this.#fail(error);
      }
    }
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    if (error instanceof GroupError) {
      if (error.code === "UNKNOWN_MEMBER_ID") this.#memberId = null;
      this.#joinAgain();
      return;
    }
    this.#failures += 1;
    if (this.#failures < failuresMax) {
      this.#events.onFault(error);
      return;
    }
    this.#ended = true;
    this.#wake();
    this.#events.onEnded(error);
  }

  #joinAgain(): void {
    this.#mustJoin = true;
    this.#wake();
  }

  #wake(): void {
    this.#interrupt.resolve();
  }

  #ask<Value>(what: string, value: () => Value): Promise<Value> {
    return this.#life.call(this.#log, what, ({ give, refuse }) => {
      try {
        give(value());
      } catch (error) {
        refuse(error);
      }
    });
  }
}
