import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { MedleyError } from "@medley/core";
import type { Environment } from "../artefact/locate.ts";

/** What a header can carry; anything else would be quoted, key and all, by the error that refuses it. */
const keyPattern = /^[\x21-\x7e]{1,4096}$/;

/** The key of an endpoint. Prints itself as `***`. */
export class EndpointKey {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }
  /** The value of the header `Authorization`. */
  authorization(): string {
    return `Bearer ${this.#value}`;
  }
  toString(): string {
    return "***";
  }
  toJSON(): string {
    return "***";
  }
  [inspect.custom](): string {
    return "***";
  }
}

/** From `variable`, or the file that `<variable>_FILE` names. Throws `usage`; no message holds the value. */
export function readKey(variable: string, environment: Environment): EndpointKey {
  const fileVariable = `${variable}_FILE`;
  const direct = environment[variable];
  const path = environment[fileVariable];
  if (direct && path) {
    throw new MedleyError("usage", `${variable} and ${fileVariable} are both set`, {
      mend: "keep one of them",
    });
  }
  if (!direct && !path) {
    throw new MedleyError("usage", `${variable} is not set; it holds the key of a remote encoder`, {
      mend: `set ${variable} to the key, or ${fileVariable} to a file that holds it, or leave keyVariable out if the endpoint takes no key`,
    });
  }
  const value = direct ? direct.trim() : readKeyFile(fileVariable, path as string);
  if (!keyPattern.test(value)) {
    const origin = direct ? variable : `the file that ${fileVariable} names`;
    throw new MedleyError("usage", `${origin} holds no key: it must be 1 to 4,096 visible ASCII characters`, {
      mend: "copy the key again, on one line, without quotes",
    });
  }
  return new EndpointKey(value);
}

function readKeyFile(variable: string, path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new MedleyError("usage", `${variable} names ${path}, which can't be read`, {
      mend: "give a file that this process may read",
      cause,
    });
  }
}
