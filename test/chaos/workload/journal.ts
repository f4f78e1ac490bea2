import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { contentMd5, contentOf } from "./content.ts";
import type { Operation } from "./operations.ts";

/** What the senders knew: written to disk before an operation is sent, and when it is answered. */
export class Journal implements Disposable {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, "a");
  }

  sent(operations: readonly Operation[]): void {
    this.#write(operations.map((operation) => ({ sent: { ...operation, content: hashOf(operation) } })));
  }

  accepted(operations: readonly Operation[]): void {
    this.#write([{ accepted: operations.map(({ n }) => n) }]);
  }

  /** By HTTP, with an answer that says so. */
  rejected(operations: readonly Operation[]): void {
    this.#write([{ rejected: operations.map(({ n }) => n) }]);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  #write(lines: readonly object[]): void {
    writeSync(this.#file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    fdatasyncSync(this.#file);
  }
}

export interface JournalEntry extends Operation {
  /** Of what it wants the row to hold; null for a delete. */
  readonly content: string | null;
  readonly outcome: "accepted" | "rejected" | "unanswered";
}

type Line = { sent: Omit<JournalEntry, "outcome"> } | { accepted: number[] } | { rejected: number[] };

export function readJournal(path: string): readonly JournalEntry[] {
  const entries = new Map<number, JournalEntry>();
  const settle = (n: number, outcome: JournalEntry["outcome"]) =>
    entries.set(n, { ...(entries.get(n) as JournalEntry), outcome });
  for (const text of readFileSync(path, "utf8").split("\n").filter(Boolean)) {
    const line = JSON.parse(text) as Line;
    if ("sent" in line) entries.set(line.sent.n, { ...line.sent, outcome: "unanswered" });
    else if ("accepted" in line) for (const n of line.accepted) settle(n, "accepted");
    else for (const n of line.rejected) settle(n, "rejected");
  }
  return [...entries.values()];
}

function hashOf(operation: Operation): string | null {
  return operation.action === "delete" ? null : contentMd5(contentOf(operation));
}
