/** The few messages of the Postgres frontend/backend protocol (version 3) that the wire server reads or writes itself. */

export const protocolVersion3 = 196_608;
const sslRequest = 80_877_103;
const gssEncryptionRequest = 80_877_104;
const cancelRequest = 80_877_102;

/** As in Postgres: a longer first packet is not a startup packet (an HTTP request, for one). */
const startupBytesMax = 10_000;

export type Startup =
  | { kind: "incomplete" }
  | { kind: "encryption"; byteCount: number }
  | { kind: "cancel" }
  | { kind: "start"; byteCount: number; minorVersion: number }
  | { kind: "invalid" };

/** Reads the first packet of a connection, which has a length but no type. */
export function readStartup(bytes: Buffer): Startup {
  if (bytes.length < 8) return { kind: "incomplete" };
  const byteCount = bytes.readUInt32BE(0);
  if (byteCount < 8 || byteCount > startupBytesMax) return { kind: "invalid" };
  if (bytes.length < byteCount) return { kind: "incomplete" };
  const code = bytes.readUInt32BE(4);
  if (code === sslRequest || code === gssEncryptionRequest) return { kind: "encryption", byteCount };
  if (code === cancelRequest) return { kind: "cancel" };
  if (code >>> 16 === 3) return { kind: "start", byteCount, minorVersion: code & 0xffff };
  return { kind: "invalid" };
}

// Bind, Close, CopyData, copy done, Describe, Execute, copy fail, Function call, flush (H), Parse, Query, Sync.
// Any other type makes the engine exit.
const frontendTypes = new Set("BCDEFHPQSXcdf");

/** Where a client's message ends what it wants run in one go: after these it waits for an answer. */
const turnTypes = new Set("FHQS");

/** Those of them that are answered with ReadyForQuery. */
const readyTypes = new Set("FQS");

const stepOf: Readonly<Record<string, string>> = { P: "1", B: "2", E: "C", Q: "C" };

/** How the answer to a turn is known to be whole. */
export interface Wants {
  /** It ends with ReadyForQuery. */
  readonly ready: boolean;
  /** Steps it says are done, in order, unless one failed: `1` parsed, `2` bound, `C` a statement is complete. */
  readonly steps: string;
}

/** How far a turn has been read: its bytes up to a border of messages, and what these want. */
export interface TurnProgress {
  readonly scanned: number;
  readonly steps: string;
}

export const turnBegin: TurnProgress = { scanned: 0, steps: "" };

export type Turn =
  /** Nothing more can be said before there are `needed` bytes. */
  | { kind: "incomplete"; progress: TurnProgress; needed: number }
  | { kind: "turn"; byteCount: number; wants: Wants }
  | { kind: "end" }
  | { kind: "invalid"; reason: string };

/** Finds the end of the client's next turn. */
export function readTurn(bytes: Buffer, { scanned, steps }: TurnProgress): Turn {
  while (bytes.length >= scanned + 5) {
    const type = String.fromCharCode(bytes[scanned] as number);
    const byteCount = bytes.readUInt32BE(scanned + 1);
    if (!frontendTypes.has(type)) return { kind: "invalid", reason: "unknown message type" };
    if (byteCount < 4) return { kind: "invalid", reason: "impossible message length" };
    if (type === "X") return { kind: "end" };
    const end = scanned + 1 + byteCount;
    if (bytes.length < end) return { kind: "incomplete", progress: { scanned, steps }, needed: end };
    if ((type === "Q" || type === "P") && isCopyFromClient(bytes.subarray(scanned + 5, end))) {
      return { kind: "invalid", reason: "the embedded engine can't serve COPY FROM STDIN: use INSERT" };
    }
    steps += stepOf[type] ?? "";
    if (turnTypes.has(type)) {
      return { kind: "turn", byteCount: end, wants: { ready: readyTypes.has(type), steps } };
    }
    scanned = end;
  }
  return { kind: "incomplete", progress: { scanned, steps }, needed: scanned + 5 };
}

/** The engine would look for the copied rows in bytes that have not arrived yet, and exit. */
function isCopyFromClient(sql: Buffer): boolean {
  const name = sql.indexOf(0) === 0 ? 1 : 0;
  return /^\s*copy\b.*\bfrom\s+stdin\b/is.test(sql.toString("latin1", name, Math.min(sql.length, 1_000)));
}

export type TransactionStatus = "idle" | "open";

/** Reads the heads of the messages in an answer, however it is cut into pieces. */
export class AnswerReader {
  /** As in `Wants`. */
  steps = "";
  failed = false;
  /** Of the ReadyForQuery it ends with; null where it does not. */
  status: TransactionStatus | null = null;
  readonly #head = Buffer.alloc(5);
  #headBytes = 0;
  #bodyBytes = 0;

  read(bytes: Buffer): void {
    let position = 0;
    while (position < bytes.length) {
      if (this.#bodyBytes === 0) {
        this.#head[this.#headBytes++] = bytes[position++] as number;
        if (this.#headBytes === this.#head.length) this.#begin(String.fromCharCode(this.#head[0] as number));
      } else {
        // The whole body of ReadyForQuery is one letter.
        if (this.#head[0] === 0x5a) this.status = bytes[position] === 0x49 ? "idle" : "open";
        const taken = Math.min(this.#bodyBytes, bytes.length - position);
        this.#bodyBytes -= taken;
        position += taken;
      }
    }
  }

  #begin(type: string): void {
    this.#headBytes = 0;
    this.#bodyBytes = this.#head.readUInt32BE(1) - 4;
    this.status = null;
    if (type === "1" || type === "2") this.steps += type;
    // CommandComplete, EmptyQueryResponse, PortalSuspended.
    if (type === "C" || type === "I" || type === "s") this.steps += "C";
    if (type === "E") this.failed = true;
  }
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, "latin1");
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function int32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => {
    bytes.writeInt32BE(value, 4 * index);
  });
  return bytes;
}

/** ErrorResponse of severity FATAL: the connection ends with it. */
export function fatalError(sqlState: string, text: string): Buffer {
  return message("E", Buffer.from(`SFATAL\0VFATAL\0C${sqlState}\0M${text}\0\0`));
}

/** What a client is told after its startup packet: no password, the settings, ready. */
export function welcome(options: {
  minorVersion: number;
  connection: number;
  settings: Readonly<Record<string, string>>;
}): Buffer {
  return Buffer.concat([
    ...(options.minorVersion > 0 ? [message("v", int32(protocolVersion3, 0))] : []),
    message("R", int32(0)),
    ...Object.entries(options.settings).map(([name, value]) =>
      message("S", Buffer.from(`${name}\0${value}\0`)),
    ),
    message("K", int32(options.connection, 0)),
    message("Z", Buffer.from("I")),
  ]);
}

/** Sync, then ROLLBACK: ends whatever a lost client had open. */
export const syncAndRollback = Buffer.concat([
  message("S", Buffer.alloc(0)),
  message("Q", Buffer.from("ROLLBACK\0")),
]);
