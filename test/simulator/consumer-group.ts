import type { LogPartitionId } from "@medley/transport/state-machines";
import type { Answer, Life } from "./host.ts";
import type { World } from "./world.ts";

export interface Joined {
  readonly memberId: string;
  readonly generation: number;
  readonly partitions: readonly LogPartitionId[];
}

interface Member {
  readonly id: string;
  readonly name: string;
  heardAtMs: number;
  /** While it waits for its assignment. */
  joining: Answer<Joined> | null;
}

export interface ConsumerGroupOptions {
  readonly world: World;
  readonly name: string;
  readonly partitions: readonly LogPartitionId[];
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
}

/** The error codes of Kafka's group coordinator that a client tells apart. */
export class GroupError extends Error {
  readonly code: "UNKNOWN_MEMBER_ID" | "ILLEGAL_GENERATION";

  constructor(code: GroupError["code"]) {
    super(code);
    this.code = code;
  }
}

/** So many members come in together. */
const rebalanceDelayMsMax = 50;

/**
 * Kafka's coordinator of one group, with eager rebalances. States: *stable*, or *preparing*, from when a member comes, goes or is
 * not heard of for the session's timeout, until all members have joined again, or their time is over and those missing are out.
 * Each rebalance is a generation: who speaks for an older one is refused.
 */
export class ConsumerGroup {
  readonly #options: ConsumerGroupOptions;
  readonly #members = new Map<string, Member>();
  readonly #committed = new Map<string, bigint>();
  #state: "stable" | "preparing" = "stable";
  #generation = 0;
  #ids = 0;

  constructor(options: ConsumerGroupOptions) {
    this.#options = options;
  }

  join(life: Life, memberId: string | null, answer: Answer<Joined>): void {
    if (memberId !== null && !this.#members.has(memberId)) {
      answer.refuse(new GroupError("UNKNOWN_MEMBER_ID"));
      return;
    }
    this.#ids += 1;
    const id = memberId ?? `${life.host.name} #${this.#ids}`;
    const { nowMs } = this.#options.world;
    const known = this.#members.get(id);
    if (known !== undefined) {
      known.joining = answer;
      known.heardAtMs = nowMs;
    } else {
      const member: Member = { id, name: life.host.name, heardAtMs: nowMs, joining: answer };
      this.#members.set(id, member);
      this.#watch(member);
    }
    this.#prepare();
  }

  /** Whether the member is to join again. */
  heartbeat(memberId: string, generation: number): boolean {
    this.#memberOf(memberId, generation).heardAtMs = this.#options.world.nowMs;
    return this.#state === "preparing";
  }

  leave(memberId: string): void {
    this.#remove(memberId, "leaves");
  }

  /** What the member commits is taken while its generation is the group's. */
  commit(
    memberId: string,
    generation: number,
    offsets: readonly (LogPartitionId & { offset: bigint })[],
  ): void {
    this.#memberOf(memberId, generation);
    for (const { offset, ...id } of offsets) this.#committed.set(keyOf(id), offset);
  }

  committed(id: LogPartitionId): bigint | null {
    return this.#committed.get(keyOf(id)) ?? null;
  }

  #memberOf(memberId: string, generation: number): Member {
    const member = this.#members.get(memberId);
    if (member === undefined) throw new GroupError("UNKNOWN_MEMBER_ID");
    if (generation !== this.#generation) throw new GroupError("ILLEGAL_GENERATION");
    return member;
  }

  #watch(member: Member): void {
    const { world, sessionTimeoutMs } = this.#options;
    const { heardAtMs } = member;
    world.after(sessionTimeoutMs - (world.nowMs - heardAtMs), null, () => {
      if (this.#members.get(member.id) !== member) return;
      // Who waits for its assignment is silent.
      if (member.joining !== null) member.heardAtMs = world.nowMs;
      if (member.heardAtMs === heardAtMs) this.#remove(member.id, "was silent too long");
      else this.#watch(member);
    });
  }

  #remove(memberId: string, why: string): void {
    if (!this.#members.delete(memberId)) return;
    this.#options.world.note("log:", memberId, why);
    if (this.#members.size > 0) this.#prepare();
  }

  #prepare(): void {
    const { world, rebalanceTimeoutMs } = this.#options;
    if (this.#state === "stable") {
      this.#state = "preparing";
      const generation = this.#generation;
      world.after(rebalanceTimeoutMs, null, () => {
        if (this.#state === "preparing" && this.#generation === generation) this.#complete();
      });
    }
    world.after(world.chance.next() * rebalanceDelayMsMax, null, () => {
      const all = [...this.#members.values()].every(({ joining }) => joining !== null);
      if (this.#state === "preparing" && all) this.#complete();
    });
  }

  #complete(): void {
    const { world, partitions, name } = this.#options;
    for (const member of this.#members.values()) {
      if (member.joining === null) this.#members.delete(member.id);
    }
    this.#state = "stable";
    this.#generation += 1;
    const members = world.chance.shuffled([...this.#members.values()]);
    for (const [at, member] of members.entries()) {
      const own = partitions.filter((_, partition) => partition % members.length === at);
      const numbers = own.map(({ partition }) => partition).join(" ");
      world.note("log:", name, "generation", this.#generation, member.id, "has", numbers);
      member.heardAtMs = world.nowMs;
      const { joining } = member;
      member.joining = null;
      joining?.give({ memberId: member.id, generation: this.#generation, partitions: own });
    }
  }
}

function keyOf({ topic, partition }: LogPartitionId): string {
  return `${topic} ${partition}`;
}
