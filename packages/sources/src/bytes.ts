import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { MedleyError } from "@medley/core";

const headBytes = 65_536;

export function readFileBytes(path: string): AsyncIterable<Buffer> {
  return createReadStream(path, { highWaterMark: headBytes });
}

/** The first `headBytes` or all there is; where it breaks off before, what there is. */
export async function headOf(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let byteCount = 0;
  try {
    for await (const chunk of chunks) {
      parts.push(chunk);
      byteCount += chunk.length;
      if (byteCount >= headBytes) break;
    }
  } catch {
    // Whoever reads on meets the fault again.
  }
  return Buffer.concat(parts).subarray(0, headBytes);
}

/** `headOf` what can be read once only: `chunks` gives out everything, a fault included. */
export async function peek(
  chunks: AsyncIterable<Buffer>,
): Promise<{ head: Buffer; chunks: AsyncIterable<Buffer> }> {
  const rest = chunks[Symbol.asyncIterator]();
  const parts: Buffer[] = [];
  async function* recorded(): AsyncGenerator<Buffer, void, void> {
    for (let next = await rest.next(); !next.done; next = await rest.next()) {
      parts.push(next.value);
      yield next.value;
    }
  }
  let fault: { error: unknown } | null = null;
  async function* remembering(): AsyncGenerator<Buffer, void, void> {
    try {
      yield* recorded();
    } catch (error) {
      fault = { error };
    }
  }
  const head = await headOf(remembering());
  async function* all(): AsyncGenerator<Buffer, void, void> {
    yield* parts.splice(0);
    if (fault !== null) throw fault.error;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  }
  return { head, chunks: all() };
}

export function isGzip(head: Buffer): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** Gives out all that can be read before it throws at a break; a stream's own iterator drops what it has not given out. */
export async function* gunzip(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  const inflate = createGunzip();
  const inflated: Buffer[] = [];
  let fault: Error | null = null;
  inflate.on("data", (chunk: Buffer) => inflated.push(chunk));
  inflate.on("error", (error) => {
    fault = error;
  });
  try {
    for await (const chunk of chunks) {
      await new Promise<void>((resolve) => inflate.write(chunk, () => resolve()));
      yield* inflated.splice(0);
      if (fault !== null) throw fault;
    }
    await new Promise<void>((resolve) => {
      inflate.once("end", resolve).once("error", () => resolve());
      inflate.end();
    });
    yield* inflated.splice(0);
    if (fault !== null) throw fault;
  } finally {
    inflate.destroy();
  }
}

/** Takes a byte order mark away. Throws `MedleyError` `source_unreadable` for UTF-16. */
export async function* withoutByteOrderMark(
  chunks: AsyncIterable<Buffer>,
  name: string,
): AsyncGenerator<Buffer, void, void> {
  let beginning: Buffer | null = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (beginning === null) {
      yield chunk;
      continue;
    }
    beginning = beginning.length === 0 ? chunk : Buffer.concat([beginning, chunk]);
    // A pipe may give its first bytes one by one.
    if (beginning.length < 3) continue;
    yield afterByteOrderMark(beginning, name);
    beginning = null;
  }
  if (beginning !== null) yield afterByteOrderMark(beginning, name);
}

function afterByteOrderMark(beginning: Buffer, name: string): Buffer {
  const mark = beginning.subarray(0, 3).toString("hex");
  if (mark.startsWith("fffe") || mark.startsWith("feff")) {
    throw new MedleyError("source_unreadable", `${name} is UTF-16`, { mend: "save the file in UTF-8" });
  }
  return mark === "efbbbf" ? beginning.subarray(3) : beginning;
}
