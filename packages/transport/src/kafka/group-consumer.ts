import type { Consumer, MedleyError, TopicMessage } from "@medley/core";
import { backoffMs } from "../backoff.ts";
import { Bell } from "../bell.ts";
import { withDeadline } from "../deadline.ts";
import type { LogConsumer } from "../log/log-consumer.ts";
import type { LogMessage, LogPartitionId } from "../log/log-partition.ts";
import { systemTimers, type Timers } from "../timers.ts";
import type { GroupMember, GroupOptions, KafkaClient, MemberEvents } from "./kafka-client.ts";
import { kafkaFault } from "./kafka-fault.ts";

export interface GroupConsumerOptions<M extends LogMessage> extends GroupOptions {
  readonly client: KafkaClient;
  /** Windows, retries, and what may be committed. */
  readonly log: LogConsumer<M>;
  readonly messageOf: (message: TopicMessage) => M;
  readonly onFault: (fault: MedleyError) => void;
  /** Default: this machine's. */
  readonly timers?: Timers;
  /** From 0 to 1; spreads retries. Default: `Math.random`. */
  readonly random?: () => number;
}

/** Between two commits, so that a stream of small batches does not become a stream of commits. */
const commitPauseMs = 100;
const commitTimeoutMs = 15_000;
const faultyCommitsMin = 3;
const leaveTimeoutMs = 5_000;
const rejoinPauseMsMax = 5_000;
/** A client that can't reach its broker says so several times a second. */
const faultPauseMs = 10_000;
const faultsKnownMax = 20;

/**
 * A member of a consumer group for as long as it is wanted.
 *
 * States: joining -> member -> (ended -> joining)* -> closed. When the client's member ends, whatever the reason, another is
 * made after a growing pause, for ever; the windows stay until the new member's assignment, which revokes them, since the
 * partitions may have been another's in between. Commits are one at a time, at most one per `commitPauseMs`; one that fails is
 * made good by the next, and if there is none, the messages come again. `close` drains within its grace, commits, and leaves.
 */
export class GroupConsumer<M extends LogMessage> implements Consumer {
  readonly #options: GroupConsumerOptions<M>;
  readonly #timers: Timers;
  readonly #progress: Bell;
  readonly #ended: Bell;
  readonly #closing = new AbortController();
  #member: GroupMember | null = null;
  #running: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;
  readonly #faultsReportedAtMs = new Map<string, number>();

  constructor(options: GroupConsumerOptions<M>) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    this.#progress = new Bell(this.#timers);
    this.#ended = new Bell(this.#timers);
  }

  /** Joins the group, and begins anew as often as it must. */
  start(): void {
    this.#running = Promise.all([this.#belong(), this.#commitAll()]);
  }

  /** There is something to commit. */
  progressed(): void {
    this.#progress.ring();
  }

  pause(partition: LogPartitionId): void {
    this.#member?.pause(partition);
  }

  resume(partition: LogPartitionId): void {
    this.#member?.resume(partition);
  }

  close(options: { graceMs: number }): Promise<void> {
    this.#closed ??= this.#close(options.graceMs);
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    const { log } = this.#options;
    await withDeadline(log.drain(), graceMs, this.#timers).catch(() => {});
    this.#closing.abort();
    this.#progress.ring();
    this.#ended.ring();
    await this.#running;
    const member = this.#member;
    if (member !== null) await this.#commit(member, leaveTimeoutMs).catch((error) => this.#report(error));
    // Before others can have the partitions, what is still in hand hears that they are no longer ours.
    log.close();
    if (member !== null) await this.#leave(member);
  }

  async #belong(): Promise<void> {
    let failures = 0;
    while (!this.#isClosing) {
      const joinedAtMs = this.#timers.nowMs();
      try {
        this.#member = await this.#join();
        if (this.#member === null) return;
        await this.#ended.wait(Number.POSITIVE_INFINITY);
        if (this.#isClosing) return;
        await this.#leave(this.#member);
      } catch (error) {
        this.#report(error);
      }
      this.#member = null;
      const wasMember = this.#timers.nowMs() - joinedAtMs > rejoinPauseMsMax;
      failures = wasMember ? 1 : failures + 1;
      await this.#pause(Math.min(backoffMs(failures, this.#options.random), rejoinPauseMsMax));
    }
  }

  /** A member that closing came before is null, and leaves once it is there. */
  async #join(): Promise<GroupMember | null> {
    const joining = this.#options.client.join(this.#options, this.#eventsOfMember());
    const member = await this.#unlessClosing(joining);
    if (member === null) void joining.then((late) => this.#leave(late)).catch(() => {});
    return member;
  }

  #eventsOfMember(): MemberEvents {
    const { log, messageOf } = this.#options;
    let ended = false;
    return {
      onAssigned: (partitions, options) => {
        if (ended) return;
        log.assign(partitions, options);
        for (const { id, full } of log.partitions) {
          if (full) this.pause(id);
          else this.resume(id);
        }
      },
      onMessages: (partition, messages, nextOffset) => {
        if (!ended) log.append(partition, messages.map(messageOf), nextOffset);
      },
      onFault: (error) => this.#report(error),
      onEnded: (error) => {
        if (ended) return;
        ended = true;
        this.#report(error);
        this.#ended.ring();
      },
    };
  }

  async #leave(member: GroupMember): Promise<void> {
    try {
      await withDeadline(member.close(), leaveTimeoutMs, this.#timers);
    } catch (error) {
      this.#report(error);
    }
  }

  async #commitAll(): Promise<void> {
    let failures = 0;
    while (!this.#isClosing) {
      await this.#progress.wait(Number.POSITIVE_INFINITY);
      if (this.#isClosing) return;
      try {
        if (this.#member !== null) await this.#unlessClosing(this.#commit(this.#member, commitTimeoutMs));
        failures = 0;
      } catch (error) {
        failures += 1;
        // While partitions change hands a commit may come too late or too early; it is made good by the next.
        if (failures >= faultyCommitsMin) this.#report(error);
        this.#progress.ring();
      }
      await this.#pause(
        failures === 0
          ? commitPauseMs
          : Math.min(backoffMs(failures, this.#options.random), rejoinPauseMsMax),
      );
    }
  }

  async #commit(member: GroupMember, timeoutMs: number): Promise<void> {
    const { log } = this.#options;
    const offsets = log.uncommitted;
    if (offsets.length === 0) return;
    await withDeadline(member.commit(offsets), timeoutMs, this.#timers);
    log.committed(offsets);
  }

  get #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  async #pause(delayMs: number): Promise<void> {
    const over = Promise.withResolvers<void>();
    const cancel = this.#timers.after(delayMs, over.resolve);
    await this.#unlessClosing(over.promise);
    cancel();
  }

  /** Null where closing comes first. */
  async #unlessClosing<Value>(promise: Promise<Value>): Promise<Value | null> {
    const closing = Promise.withResolvers<null>();
    const onClosing = () => closing.resolve(null);
    this.#closing.signal.addEventListener("abort", onClosing);
    if (this.#isClosing) onClosing();
    try {
      return await Promise.race([promise, closing.promise]);
    } finally {
      this.#closing.signal.removeEventListener("abort", onClosing);
      promise.catch(() => {});
    }
  }

  #report(error: unknown): void {
    const { group, onFault } = this.#options;
    const fault = kafkaFault(error, `group ${group}`);
    const nowMs = this.#timers.nowMs();
    const reportedAtMs = this.#faultsReportedAtMs.get(fault.message) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - reportedAtMs < faultPauseMs) return;
    if (this.#faultsReportedAtMs.size >= faultsKnownMax) this.#faultsReportedAtMs.clear();
    this.#faultsReportedAtMs.set(fault.message, nowMs);
    onFault(fault);
  }
}
