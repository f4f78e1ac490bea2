import { createHash, type Hash } from "node:crypto";

/** What a row holds, as far as it counts: its version, or its values. */
export type FingerprintValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | ArrayBufferView
  | readonly FingerprintValue[];

/** Names the rows that a model was trained on: other rows, versions or values give another one, another order does not. */
export interface DataFingerprint {
  /** Hex. */
  readonly sha256: string;
  readonly count: number;
}

/**
 * Rows are told one by one. Bound: 32 bytes are held of each, until `finish` sorts and hashes them.
 */
export class FingerprintBuilder {
  readonly #digests: Buffer[] = [];

  add(id: string, value: FingerprintValue): void {
    const hash = createHash("sha256");
    addTo(hash, id);
    addTo(hash, value);
    this.#digests.push(hash.digest());
  }

  finish(): DataFingerprint {
    const hash = createHash("sha256");
    for (const digest of this.#digests.sort(Buffer.compare)) hash.update(digest);
    return { sha256: hash.digest("hex"), count: this.#digests.length };
  }
}

/** Each value with its kind and length before it, so that no two lists of values read the same. */
function addTo(hash: Hash, value: FingerprintValue): void {
  if (Array.isArray(value)) {
    hash.update(`list ${value.length}\n`);
    for (const item of value) addTo(hash, item);
  } else if (ArrayBuffer.isView(value)) {
    hash.update(`bytes ${value.byteLength}\n`);
    hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  } else {
    const text = String(value);
    hash.update(`${value === null ? "null" : typeof value} ${Buffer.byteLength(text)}\n${text}`);
  }
}
