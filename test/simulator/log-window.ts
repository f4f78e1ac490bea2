import type { RecordEnvelope } from "@medley/core";

/**
 * What one process was given of a partition since it was assigned, and has acknowledged: the judge's own account of the window
 * that the transport keeps. Records are told apart by id and version, so of one that came twice both count as acknowledged.
 */
export class LogWindow {
  readonly #offsets = new Map<string, number[]>();
  readonly #acknowledged = new Set<number>();
  #next: number | null = null;
  #lowWater = 0;
  highestAcknowledged = -1;

  give(offset: number, envelope: RecordEnvelope): void {
    if (this.#next === null) this.#lowWater = offset;
    else if (offset < this.#next) return;
    this.#next = offset + 1;
    const name = nameOf(envelope);
    const same = this.#offsets.get(name);
    if (same === undefined) this.#offsets.set(name, [offset]);
    else same.push(offset);
  }

  acknowledge(envelope: RecordEnvelope): void {
    for (const offset of this.#offsets.get(nameOf(envelope)) ?? []) {
      this.#acknowledged.add(offset);
      if (offset > this.highestAcknowledged) this.highestAcknowledged = offset;
    }
    while (this.#acknowledged.delete(this.#lowWater)) this.#lowWater += 1;
  }

  /** From the first that is not acknowledged to the last given. */
  get length(): number {
    return (this.#next ?? this.#lowWater) - this.#lowWater;
  }
}

function nameOf({ id, version }: RecordEnvelope): string {
  return `${id}@${version}`;
}
