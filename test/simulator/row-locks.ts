/** A transaction that takes locks one after the other and gives all of them back at its end. */
export interface Transaction {
  readonly name: string;
  readonly held: Set<string>;
  /** The lock it waits for. */
  waitsFor: string | null;
  /** The server stopped: nothing more comes of it. */
  aborted: boolean;
}

interface Lock {
  owner: Transaction;
  readonly waiting: { readonly transaction: Transaction; readonly granted: () => void }[];
}

export function transaction(name: string): Transaction {
  return { name, held: new Set(), waitsFor: null, aborted: false };
}

/**
 * Row locks as Postgres has them: exclusive, first come first served, kept until the transaction ends. A transaction that would
 * wait for one that waits for it, at whatever remove, is refused: the deadlock that Postgres reports as 40P01.
 */
export class RowLocks {
  readonly #locks = new Map<string, Lock>();

  /** Calls `granted` at once or when the lock is free; false: that would be a deadlock. */
  acquire(transaction: Transaction, key: string, granted: () => void): boolean {
    const lock = this.#locks.get(key);
    if (lock === undefined || lock.owner === transaction) {
      if (lock === undefined) this.#locks.set(key, { owner: transaction, waiting: [] });
      transaction.held.add(key);
      granted();
      return true;
    }
    if (
      this.#waitsFor(lock.owner, transaction) ||
      lock.waiting.some((one) => this.#waitsFor(one.transaction, transaction))
    )
      return false;
    transaction.waitsFor = key;
    lock.waiting.push({ transaction, granted });
    return true;
  }

  release(transaction: Transaction): void {
    for (const key of transaction.held) {
      const lock = this.#locks.get(key) as Lock;
      let next = lock.waiting.shift();
      while (next?.transaction.aborted) next = lock.waiting.shift();
      if (next === undefined) {
        this.#locks.delete(key);
        continue;
      }
      lock.owner = next.transaction;
      next.transaction.waitsFor = null;
      next.transaction.held.add(key);
      next.granted();
    }
    transaction.held.clear();
  }

  /** Transactions that hold a lock. */
  get owners(): readonly Transaction[] {
    return [...new Set([...this.#locks.values()].map(({ owner }) => owner))];
  }

  #waitsFor(waiter: Transaction, holder: Transaction): boolean {
    const seen = new Set<Transaction>();
    const pending = [waiter];
    for (let current = pending.pop(); current !== undefined; current = pending.pop()) {
      if (current === holder) return true;
      if (seen.has(current) || current.waitsFor === null) continue;
      seen.add(current);
      const lock = this.#locks.get(current.waitsFor);
      if (lock === undefined) continue;
      pending.push(lock.owner);
      // Those before it in the line will own the lock before it does.
      for (const ahead of lock.waiting) {
        if (ahead.transaction === current) break;
        pending.push(ahead.transaction);
      }
    }
    return false;
  }
}
