export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its line feed, with its carriage return; of a line over the limit, its beginning. */
  readonly bytes: Buffer;
  readonly tooLong: boolean;
}

/** What is kept of a line over the limit. */
const keptBytesMax = 65_536;

/**
 * Splits at line feeds. Holds one line and one chunk at most; of a line over `lineBytesMax` only the beginning. Where the
 * input breaks off with an error, what was read of its last line is not given out.
 */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
  options: { lineBytesMax: number },
): AsyncGenerator<Line, void, void> {
  const held = new HeldLine(options.lineBytesMax);
  let number = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, from)) {
      held.add(chunk.subarray(from, end));
      number += 1;
      yield held.take(number);
      from = end + 1;
    }
    held.add(chunk.subarray(from));
  }
  if (held.byteCount > 0) yield held.take(number + 1);
}

class HeldLine {
  readonly #lineBytesMax: number;
  #parts: Buffer[] = [];
  #partsBytes = 0;
  byteCount = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  add(part: Buffer): void {
    this.byteCount += part.length;
    if (this.byteCount > this.#lineBytesMax && this.#partsBytes >= keptBytesMax) return;
    this.#parts.push(part);
    this.#partsBytes += part.length;
  }

  take(number: number): Line {
    const tooLong = this.byteCount > this.#lineBytesMax;
    const whole = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    // A copy: a view would keep the chunk it was cut from.
    const bytes = tooLong ? Buffer.from(whole.subarray(0, keptBytesMax)) : whole;
    this.#parts = [];
    this.#partsBytes = 0;
    this.byteCount = 0;
    return { number, bytes, tooLong };
  }
}

/** Nothing but spaces, tabs and carriage returns. */
export function isBlank(line: Line): boolean {
  return line.bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
