import { packetRecordsMax } from "@medley/core";

/** Pictures and clips may come with their records: a packet that would hold more is sent with fewer records. */
export const packetCharsMax = 4_000_000;

/** How full a packet is: it takes at most `packetRecordsMax` records and `packetCharsMax` characters, and one record at least. */
export class PacketRoom {
  #records = 0;
  #chars = 0;

  /** Takes a record of that many characters; false: there is no room, it begins the next packet. */
  take(chars: number): boolean {
    const full = this.#records === packetRecordsMax || this.#chars + chars > packetCharsMax;
    if (full && this.#records > 0) {
      this.#records = 1;
      this.#chars = chars;
      return false;
    }
    this.#records += 1;
    this.#chars += chars;
    return true;
  }
}

/** No field's value is nested deeper; what is will be refused. */
const levelsMax = 4;

/** The characters of all strings in a record, keys left out: what makes records unlike in size. */
export function charsOf(value: unknown, levels = levelsMax): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null || levels === 0) return 0;
  let chars = 0;
  for (const inner of Object.values(value)) chars += charsOf(inner, levels - 1);
  return chars;
}
