import { recordIdBytesMax } from "../envelope.ts";
import { fail, type Result, succeed } from "../result.ts";
import { kindOf, textProblem } from "./describe-value.ts";

/** An id as it travels and is stored, or what is wrong with it. An integer stands for its digits. */
export function parseRecordId(input: unknown): Result<string, string> {
  const id = typeof input === "number" && Number.isSafeInteger(input) ? String(input) : input;
  if (typeof id !== "string") return fail(`must be a string or an integer, not ${kindOf(input)}`);
  if (id === "") return fail("is an empty string; an id has at least one character");
  const bytes = Buffer.byteLength(id);
  if (bytes > recordIdBytesMax) return fail(`is ${bytes} bytes long; an id has at most ${recordIdBytesMax}`);
  const problem = textProblem(id);
  return problem === undefined ? succeed(id) : fail(problem);
}
