/**
 * Versions of messages whose collection has no version of its own. They are on the scale of the clock that gives versions to
 * records by HTTP and file (milliseconds in the high bits, 20 bits below), and follow from the message alone:
 *
 *     time * 2^20 + offset mod 2^20
 *
 * so a message that is read again, by this process or by one that takes it over, gets the version it had, and a process that goes on
 * without knowing that its partition is another's can't give an older message a newer version. Of one id the newest
 * time wins, of equal ones the later offset.
 *
 * Where the offset passes a multiple of 2^20 within one millisecond, the low bits begin again at 0; messages behind the border count
 * one millisecond more until the millisecond is over, which keeps the order, since all that follow have larger low bits. Only
 * who begins to read between two messages of one id, in one millisecond, at such a border would order them wrongly.
 */
export interface PartitionMemory {
  /** Of the last message that was given a version. */
  readonly offset: bigint;
  readonly timeMs: number;
  readonly crossing: Crossing | null;
  /** The key of a Debezium delete, if that was the last message: a tombstone of it says the same again. */
  readonly deletedKey: string | null;
}

/** The millisecond in which the offset passed a border, and the block of offsets behind it. */
interface Crossing {
  readonly block: bigint;
  readonly timeMs: number;
}

const offsetBits = 20n;

/** Of a partition that nothing has been seen of. */
export const noMemory: PartitionMemory = { offset: -1n, timeMs: -1, crossing: null, deletedKey: null };

/** The version of the message at `offset` whose time is `timeMs`, and what is known after it. */
export function versionOfMessage(
  { offset, timeMs }: { readonly offset: bigint; readonly timeMs: number },
  memory: PartitionMemory,
): { version: bigint; memory: PartitionMemory } {
  const block = offset >> offsetBits;
  const isCrossed = memory.offset >= 0n && memory.offset >> offsetBits < block && memory.timeMs === timeMs;
  const crossing = isCrossed ? { block, timeMs } : memory.crossing;
  const isBehind = crossing?.block === block && crossing.timeMs === timeMs;
  const low = offset & ((1n << offsetBits) - 1n);
  const version = ((BigInt(timeMs) + (isBehind ? 1n : 0n)) << offsetBits) + low;
  return { version, memory: { ...memory, offset, timeMs, crossing } };
}

/** As Kafka's own brokers allow by default. What lies further ahead would block every later version of its id. */
const aheadMsMax = 3_600_000;

/** Why no version may be made of that time. */
export function timeProblem(timeMs: number, nowMs: number): string | undefined {
  if (!Number.isSafeInteger(timeMs) || timeMs < 0) return "is no time since 1970";
  if (timeMs > nowMs + aheadMsMax) {
    return "is more than an hour ahead, and would win over every later version of its id";
  }
  return undefined;
}
