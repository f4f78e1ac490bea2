import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";

/** What is used of it: the types of Node.js leave it out. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  across(
    values: number,
    width: number,
    rows: number,
    first: number,
    count: number,
    weights: number,
    taps: number,
    columns: number,
    result: number,
  ): void;
  down(values: number, bytes: number, count: number, weights: number, result: number): void;
}

const pageBytes = 65_536;
/** Vectors are read and written beyond the end of a row. */
const slackBytes = 16;
/** A module's memory never shrinks: after a picture of huge rows it is given back whole. */
const keptBytesMax = 16 * 2 ** 20;

const compiled = new WebAssembly.Module(readFileSync(new URL("./resample.wasm", import.meta.url)));
let exports: Exports | null = null;

/**
 * The passes of `resample` with 128-bit vectors (infra/resample-kernel/kernel.as), over a memory of its own. Blocks are laid
 * out by `place`, one after the other; what was placed before is gone after `reset`.
 */
export class ResampleKernel {
  readonly #exports: Exports;
  #end = 0;

  constructor() {
    exports ??= new WebAssembly.Instance(compiled).exports as Exports;
    this.#exports = exports;
  }

  /** The place of a block of so many bytes, which holds `content` where it is given. */
  place(bytes: number, content?: Uint8Array | Int32Array): number {
    const { memory } = this.#exports;
    const at = this.#end;
    this.#end = Math.ceil((at + bytes + slackBytes) / slackBytes) * slackBytes;
    const missing = this.#end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
    if (content !== undefined) this.write(at, content);
    return at;
  }

  write(at: number, content: Uint8Array | Int32Array): void {
    assert(at + content.byteLength <= this.#end);
    const { buffer, byteOffset, byteLength } = content;
    new Uint8Array(this.#exports.memory.buffer, at, byteLength).set(
      new Uint8Array(buffer, byteOffset, byteLength),
    );
  }

  /** A view: it is gone with the next `place`. */
  read(at: number, bytes: number): Uint8Array {
    assert(at + bytes <= this.#end);
    return new Uint8Array(this.#exports.memory.buffer, at, bytes);
  }

  get across(): Exports["across"] {
    return this.#exports.across;
  }
  get down(): Exports["down"] {
    return this.#exports.down;
  }

  [Symbol.dispose](): void {
    if (this.#exports.memory.buffer.byteLength > keptBytesMax) exports = null;
  }
}
