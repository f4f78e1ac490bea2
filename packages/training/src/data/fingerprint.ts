import { createHash, type Hash } from "node:crypto";
import { MedleyError } from "@medley/core";

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
 * Rows are told one by one, of the data that `name` says. Bound: two digests are held of each, until `finish` sorts and hashes them.
 */
export class FingerprintBuilder {
  readonly #name: string;
  readonly #digests: Buffer[] = [];
  readonly #ids = new Set<string>();

  constructor(name: string) {
    this.#name = name;
  }

  /** Throws `training_data_invalid` for an id that was told before: one copy of a record would train, and the other be asked about. */
  add(id: string, value: FingerprintValue): void {
    this.#ids.add(createHash("sha256").update(id).digest("base64"));
    if (this.#ids.size === this.#digests.length) {
      throw new MedleyError("training_data_invalid", `${this.#name}: the record "${id}" comes twice`, {
        mend: "keep one record of each id",
      });
    }
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
