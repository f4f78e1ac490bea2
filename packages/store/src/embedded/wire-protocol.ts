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
const answeredTypes = new Set("FQS");

export type Turn =
  /** The first `scanned` bytes are whole messages; nothing can be said before there are `needed`. */
  | { kind: "incomplete"; scanned: number; needed: number }
  | { kind: "turn"; byteCount: number; answered: boolean }
  | { kind: "end" }
  | { kind: "invalid"; reason: string };

/** Finds the end of the client's next turn, from `scanned`, a message border found before. */
export function readTurn(bytes: Buffer, scanned: number): Turn {
  while (bytes.length >= scanned + 5) {
    const type = String.fromCharCode(bytes[scanned] as number);
    const byteCount = bytes.readUInt32BE(scanned + 1);
    if (!frontendTypes.has(type)) return { kind: "invalid", reason: "unknown message type" };
    if (byteCount < 4) return { kind: "invalid", reason: "impossible message length" };
    if (type === "X") return { kind: "end" };
    const end = scanned + 1 + byteCount;
    if (bytes.length < end) return { kind: "incomplete", scanned, needed: end };
    if ((type === "Q" || type === "P") && isCopyFromClient(bytes.subarray(scanned + 5, end))) {
      return {
        kind: "invalid",
        reason: "COPY FROM STDIN can't be served by the embedded engine: use INSERT",
      };
    }
    if (turnTypes.has(type)) return { kind: "turn", byteCount: end, answered: answeredTypes.has(type) };
    scanned = end;
  }
  return { kind: "incomplete", scanned, needed: scanned + 5 };
}

/** The engine would look for the copied rows in bytes that have not arrived yet, and exit. */
function isCopyFromClient(sql: Buffer): boolean {
  const name = sql.indexOf(0) === 0 ? 1 : 0;
  return /^\s*copy\b.*\bfrom\s+stdin\b/is.test(sql.toString("latin1", name, Math.min(sql.length, 1_000)));
}

export type TransactionStatus = "idle" | "open";

/** Of a ReadyForQuery at the very end of an answer; null where there is none. */
export function readTransactionStatus(tail: Buffer): TransactionStatus | null {
  if (tail.length < 6) return null;
  const message = tail.subarray(tail.length - 6);
  if (message[0] !== 0x5a || message.readUInt32BE(1) !== 5) return null;
  return message[5] === 0x49 ? "idle" : "open";
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
