/** What stands in the way lies with the record or the configuration: the same however often it is tried. */
export class Refused extends Error {
  readonly mend: string;

  constructor(message: string, mend: string) {
    super(message);
    this.name = "Refused";
    this.mend = mend;
  }
}

/** It may pass: tried again. `retryAfterMs` is what the host asked for, `null` where it asked for nothing. */
export class Unreachable extends Error {
  readonly retryAfterMs: number | null;

  constructor(message: string, retryAfterMs: number | null = null) {
    super(message);
    this.name = "Unreachable";
    this.retryAfterMs = retryAfterMs;
  }
}

export const sendBase64 = 'send the bytes with the record as {"base64": "…"}';

export function tooLarge(what: string, bytesMax: number): Refused {
  return new Refused(`${what} has more than ${bytesMax} bytes`, "make it smaller, then replay the record");
}
