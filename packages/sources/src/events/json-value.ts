import { fail, type Result, succeed } from "@medley/core";
import type { MessageProblem } from "./message-problem.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

// A string, passed over whole, or a number. JSON.parse's own way (a reviver with sources) takes ten times as long.
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;
const longInteger = /^-?\d{16,}$/;

/** Integers beyond 2^53 (ids, positions in a log) stay exact as strings of digits. */
function parseExactly(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  const exact = text.replace(tokens, (token) =>
    longInteger.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token,
  );
  return JSON.parse(exact);
}

// Confluent's serialisers put a 0 and four bytes of a schema's id before what they write.
const registryHeadBytes = 5;

/** The JSON of a message, also behind a schema registry's head. */
export function jsonOf(bytes: Uint8Array, what: string): Result<unknown, MessageProblem> {
  const hasHead = bytes[0] === 0;
  const text = textOf(hasHead ? bytes.subarray(registryHeadBytes) : bytes);
  try {
    if (text !== undefined) return succeed(parseExactly(text));
  } catch {
    // Said below: the parser's own words would quote the message.
  }
  const reason = hasHead
    ? `${what} is no JSON: it begins like one of Avro or Protobuf with a schema registry; let its producer write JSON`
    : `${what} is no JSON`;
  return fail({ code: "body_malformed", reason });
}

/**
 * A key is JSON where it looks like an object, list or quoted string; any other text is taken as it is, so that `007` and `1e5`
 * stay what they are. Undefined where there is none or it is no text.
 */
export function keyOf(bytes: Uint8Array | null): unknown {
  const text =
    bytes === null ? undefined : textOf(bytes[0] === 0 ? bytes.subarray(registryHeadBytes) : bytes);
  if (text === undefined || text === "") return undefined;
  if (!/^\s*[{["]/.test(text)) return text;
  try {
    return parseExactly(text);
  } catch {
    return text;
  }
}
