import { ClipError } from "./block.ts";

/** Reads bits, the highest of a byte first. Past the end it throws `ClipError`. */
export class BitReader {
  readonly #bytes: Uint8Array;
  readonly #format: string;
  #byte: number;
  #bitsLeft = 8;

  constructor(bytes: Uint8Array, options: { start: number; format: string }) {
    this.#bytes = bytes;
    this.#byte = options.start;
    this.#format = options.format;
  }

  /** Of the byte that is read next; only between bytes. */
  get offset(): number {
    return this.#byte;
  }

  /** An unsigned number of 0 to 53 bits. */
  bits(count: number): number {
    let value = 0;
    let rest = count;
    while (rest > 0) {
      const taken = Math.min(rest, this.#bitsLeft);
      const byte = this.#peek();
      const part = (byte >> (this.#bitsLeft - taken)) & ((1 << taken) - 1);
      value = value * 2 ** taken + part; // Not by shifts: they end at 32 bits.
      this.#skip(taken);
      rest -= taken;
    }
    return value;
  }

  /** In two's complement. */
  signed(count: number): number {
    const value = this.bits(count);
    return count > 0 && value >= 2 ** (count - 1) ? value - 2 ** count : value;
  }

  /** The number of zeros before the next one. */
  unary(): number {
    let zeros = 0;
    while (true) {
      const rest = this.#peek() & ((1 << this.#bitsLeft) - 1);
      if (rest !== 0) {
        const before = this.#bitsLeft - (32 - Math.clz32(rest));
        this.#skip(before + 1);
        return zeros + before;
      }
      zeros += this.#bitsLeft;
      this.#skip(this.#bitsLeft);
    }
  }

  /** Goes to the next whole byte. */
  align(): void {
    if (this.#bitsLeft < 8) this.#skip(this.#bitsLeft);
  }

  #peek(): number {
    const byte = this.#bytes[this.#byte];
    if (byte === undefined) throw new ClipError(`the ${this.#format} data breaks off`);
    return byte;
  }

  #skip(count: number): void {
    this.#bitsLeft -= count;
    if (this.#bitsLeft > 0) return;
    this.#bitsLeft = 8;
    this.#byte++;
  }
}
