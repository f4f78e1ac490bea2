import { strict as assert } from "node:assert";
import { fail, type Result, succeed } from "../result.ts";
import { isObject, kindOf, show, textProblem } from "./describe-value.ts";

/**
 * A picture or clip is given as `{"base64": "…"}`, `{"path": "shoes/1.jpg"}` or `{"url": "https://…"}`, or as a string:
 * `data:image/png;base64,…`, an address, or else a path. It travels as a string in the last form. A path or address
 * stands for its content: while it stays the same, it is not looked at again.
 */
export type Content =
  | { readonly kind: "bytes"; readonly base64: string }
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "url"; readonly url: string };

/** 12 MB of bytes: a packet must fit a queue's message. Larger ones are read from a folder or an address. */
export const contentBase64CharsMax = 16_000_000;
const referenceCharsMax = 2_048;

const dataUrlPattern = /^data:[\w.+-]*\/?[\w.+-]*(;[\w=.+-]+)*;base64,/i;
const schemePattern = /^([a-z][a-z0-9+.-]*):/i;

/** What a checked value of an image or audio field stands for. */
export function contentOf(value: string): Content {
  const head = dataUrlPattern.exec(value);
  if (head !== null) return { kind: "bytes", base64: value.slice(head[0].length) };
  return schemePattern.test(value) ? { kind: "url", url: value } : { kind: "path", path: value };
}

/** The string that travels, or what is wrong with the input. */
export function parseContent(input: unknown): Result<string, string> {
  if (typeof input === "string") return parseReference(input);
  if (isObject(input)) {
    const [[key, value] = [], ...more] = Object.entries(input);
    if (more.length === 0 && typeof value === "string") {
      if (key === "base64") return parseReference(`data:;base64,${value}`);
      if (key === "url" || key === "path") {
        const parsed = parseReference(value);
        const isOfKind = parsed.ok && contentOf(parsed.value).kind === key;
        return !parsed.ok || isOfKind ? parsed : fail(`has ${show(value)} as its ${key}, which is none`);
      }
    }
  }
  return fail(
    `must be {"base64": …}, {"path": …}, {"url": …}, or one of them as a string, not ${kindOf(input)}`,
  );
}

function parseReference(text: string): Result<string, string> {
  if (text === "") return fail("is an empty string; leave the field out instead");
  const head = dataUrlPattern.exec(text);
  if (head !== null) return parseBase64(text, head[0].length);
  if (text.length > referenceCharsMax) {
    return fail(
      `has ${text.length} characters and is no "data:…;base64," address; a path or address has at most ${referenceCharsMax}`,
    );
  }
  const problem = textProblem(text);
  if (problem !== undefined) return fail(problem);
  const scheme = schemePattern.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return succeed(text);
  if (scheme !== "http" && scheme !== "https") {
    return fail(`is an address of scheme "${scheme}"; only http, https and "data:…;base64," are read`);
  }
  return URL.canParse(text) ? succeed(text) : fail(`is ${show(text)}, which is no valid address`);
}

function parseBase64(text: string, start: number): Result<string, string> {
  const chars = text.length - start;
  if (chars > contentBase64CharsMax) {
    return fail(
      `has ${chars} characters of base64, at most ${contentBase64CharsMax} are taken; give a path or address`,
    );
  }
  if (chars === 0) return fail("has no bytes; leave the field out instead");
  assert(start > 0);
  // Not one pattern over all of it: megabytes would be walked by backtracking code.
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const body = text.slice(start, text.length - padding);
  const stray = /[^A-Za-z0-9+/_-]/.exec(body);
  if (stray !== null) return fail(`has ${show(stray[0])} at position ${stray.index} of its base64`);
  return body.length % 4 === 1 ? fail("has base64 that breaks off; send all of it") : succeed(text);
}
