import { MedleyError } from "@medley/core";
import type { FastifyInstance } from "fastify";
import { jsonFaultAt, placeInText } from "./json-fault.ts";

export const bodyFormats = {
  "application/json": "json",
  "application/x-ndjson": "ndjson",
  "application/jsonl": "ndjson",
} as const;

/** A request body, decoded but not parsed: what is wrong in it is told per record. */
export interface Body {
  readonly format: (typeof bodyFormats)[keyof typeof bodyFormats];
  readonly text: string;
}

/** Values nested deeper are refused: no schema needs it, and code that follows values down must not run out of stack. */
export const levelsMax = 16;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Bodies become `Body`; other content types are refused by fastify. */
export function parseBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  for (const [contentType, format] of Object.entries(bodyFormats)) {
    app.addContentTypeParser<Buffer>(contentType, { parseAs: "buffer" }, (_request, bytes, done) => {
      const text = decodeUtf8(bytes);
      if (text === null) {
        const mend = "encode the body in UTF-8";
        done(new MedleyError("body_malformed", "the body is not valid UTF-8", { mend }));
      } else done(null, { format, text } satisfies Body);
    });
  }
}

/** Throws `body_malformed` with the place, or for a request without a body. */
export function jsonOf(body: Body | undefined): unknown {
  if (body === undefined) throw new MedleyError("body_malformed", "the request has no body");
  try {
    return JSON.parse(body.text);
  } catch {
    throw new MedleyError("body_malformed", `the body ${jsonProblem(body.text)}`, {
      mend: "send one JSON value; for one record per line use Content-Type: application/x-ndjson",
    });
  }
}

/** In words, without what the text holds. */
export function jsonProblem(text: string): string {
  const offset = jsonFaultAt(text);
  const problem = offset === text.length ? "is JSON cut short" : "is not JSON";
  return `${problem} at ${placeInText(text, offset)}`;
}

/** Whether lists and objects lie in each other at most `levels` deep. */
export function isNestedWithin(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((inner) => isNestedWithin(inner, levels - 1));
}

function decodeUtf8(bytes: Buffer): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}
