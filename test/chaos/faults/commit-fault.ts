import type { Direction, Inspector } from "./tcp-proxy.ts";

/**
 * Breaks a connection to Postgres at the moment that decides whether a write has happened:
 * - `before_commit`: what commits it (the Sync of its own transaction, or `commit`) does not reach the server, which rolls
 *   it back;
 * - `after_commit`: the server has committed, and its answer does not reach the client.
 *
 * A fault that is armed strikes the next write on any connection, once.
 */
export type CommitMoment = "before_commit" | "after_commit";

export class CommitFault {
  #armed: CommitMoment | null = null;
  #onStrike: (moment: CommitMoment) => void = () => {};

  arm(moment: CommitMoment, onStrike: (moment: CommitMoment) => void): void {
    this.#armed = moment;
    this.#onStrike = onStrike;
  }

  disarm(): void {
    this.#armed = null;
  }

  get armed(): CommitMoment | null {
    return this.#armed;
  }

  strike(moment: CommitMoment): void {
    this.#armed = null;
    this.#onStrike(moment);
  }

  inspector(): Inspector {
    return new PostgresInspector(this);
  }
}

const writes = /\binsert\s+into\s+(medley_internal|bullmq)\b|\bbullmq\.\w*(add|move)\w*\s*\(/i;
const commits = /^\s*commit\b/i;

/** Follows Postgres' protocol, version 3, as far as it takes to know when a write commits. Passes whole messages on. */
class PostgresInspector implements Inspector {
  readonly #fault: CommitFault;
  readonly #up = new Messages({ hasStartup: true });
  readonly #down = new Messages({ hasStartup: false });
  /** Texts of prepared statements by name; "" is the unnamed one. */
  readonly #statements = new Map<string, string>();
  #inTransaction = false;
  /** Of the transaction that is open, or of the statement before its Sync. */
  #hasWritten = false;
  #commits = false;
  #withholdsAnswer = false;

  constructor(fault: CommitFault) {
    this.#fault = fault;
  }

  pass(direction: Direction, bytes: Buffer): Buffer | null {
    return direction === "up" ? this.#passUp(bytes) : this.#passDown(bytes);
  }

  #passUp(bytes: Buffer): Buffer | null {
    const passed: Buffer[] = [];
    for (const message of this.#up.read(bytes)) {
      const ends = this.#note(message);
      if (ends && this.#hasWritten && (this.#commits || !this.#inTransaction)) {
        if (this.#fault.armed === "before_commit") {
          this.#fault.strike("before_commit");
          return null;
        }
        if (this.#fault.armed === "after_commit") {
          this.#fault.strike("after_commit");
          this.#withholdsAnswer = true;
        }
      }
      passed.push(message);
    }
    return Buffer.concat(passed);
  }

  /** Whether the message ends a statement: a Sync or a simple query. */
  #note(message: Buffer): boolean {
    switch (String.fromCharCode(message[0] as number)) {
      case "P": {
        const [name, text] = strings(message, 5, 2);
        this.#statements.set(name as string, text as string);
        return false;
      }
      case "B": {
        const [, name] = strings(message, 5, 2);
        this.#run(this.#statements.get(name as string) ?? "");
        return false;
      }
      case "Q":
        this.#run(strings(message, 5, 1)[0] as string);
        return true;
      case "S":
        return true;
      default:
        return false;
    }
  }

  #run(text: string): void {
    if (writes.test(text)) this.#hasWritten = true;
    if (commits.test(text)) this.#commits = true;
  }

  #passDown(bytes: Buffer): Buffer | null {
    const passed: Buffer[] = [];
    for (const message of this.#down.read(bytes)) {
      if (message[0] === readyForQuery && message.length === 6) {
        const status = String.fromCharCode(message[5] as number);
        this.#inTransaction = status !== "I";
        if (!this.#inTransaction) {
          if (this.#withholdsAnswer) return null;
          this.#hasWritten = false;
        }
        this.#commits = false;
      }
      passed.push(message);
    }
    return this.#withholdsAnswer ? Buffer.alloc(0) : Buffer.concat(passed);
  }
}

const readyForQuery = "Z".charCodeAt(0);

/** Cuts a stream into messages: a type, then the length of the rest. The client's first one has no type. */
class Messages {
  #rest: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #atStart: boolean;

  constructor({ hasStartup }: { hasStartup: boolean }) {
    this.#atStart = hasStartup;
  }

  *read(bytes: Buffer): Generator<Buffer> {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const typeBytes = this.#atStart ? 0 : 1;
      if (this.#rest.length < typeBytes + 4) return;
      const length = typeBytes + this.#rest.readUInt32BE(typeBytes);
      if (this.#rest.length < length) return;
      this.#atStart = false;
      const message = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      yield message;
    }
  }
}

function strings(message: Buffer, offset: number, count: number): string[] {
  const found: string[] = [];
  let start = offset;
  for (let at = 0; at < count; at++) {
    const end = message.indexOf(0, start);
    found.push(message.toString("utf8", start, end));
    start = end + 1;
  }
  return found;
}
