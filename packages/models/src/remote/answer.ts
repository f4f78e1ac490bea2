import { fail, normalize, type Result, succeed } from "@medley/core";

/** One text's vector, of unit length, or what is wrong with it. */
export type TextVector = Result<Float32Array, string>;

export interface Answer {
  /** One per text, in the order of the request. */
  readonly vectors: readonly TextVector[];
  /** `usage.total_tokens`, where it is given. */
  readonly tokens: number | null;
}

/** `malformed`: not an answer of the protocol. `misfit`: the model is not the one that the space was made for. */
export interface AnswerProblem {
  readonly kind: "malformed" | "misfit";
  readonly message: string;
  /** What was paid for all the same. */
  readonly tokens: number | null;
}

const base64Pattern = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * Reads an answer of OpenAI's `/v1/embeddings`: `{"data": [{"index": 0, "embedding": [..] | base64}], "usage": ..}`.
 * Entries may come in any order; every index must be there once. A vector that holds something else than finite numbers,
 * or is all zero, is its text's own fault.
 */
export function readAnswer(
  body: string,
  expected: { readonly texts: number; readonly dimensions: number },
): Result<Answer, AnswerProblem> {
  const parsed = parseJson(body);
  if (!parsed.ok) return fail({ kind: "malformed", message: "it is not JSON", tokens: null });
  const root = parsed.value as { data?: unknown; usage?: { total_tokens?: unknown } } | null;
  const tokens = tokensOf(root?.usage?.total_tokens);
  const malformed = (message: string) => fail({ kind: "malformed" as const, message, tokens });
  const data = root?.data;
  if (!Array.isArray(data)) return malformed('it has no list "data"');
  if (data.length !== expected.texts) {
    return malformed(`it has ${data.length} vectors for ${expected.texts} texts`);
  }
  const vectors: (TextVector | undefined)[] = new Array(expected.texts).fill(undefined);
  for (const entry of data as ({ index?: unknown; embedding?: unknown } | null)[]) {
    const index = entry?.index;
    if (!Number.isInteger(index) || (index as number) < 0 || (index as number) >= expected.texts) {
      return malformed(`an entry has no index from 0 to ${expected.texts - 1}`);
    }
    if (vectors[index as number] !== undefined) return malformed(`index ${index} is there twice`);
    const embedding = entry?.embedding;
    const numbers = typeof embedding === "string" ? fromBase64(embedding) : embedding;
    if (!Array.isArray(numbers) && !(numbers instanceof Float32Array)) {
      return malformed(`the embedding of index ${index} is neither a list nor base64 of float32`);
    }
    if (numbers.length !== expected.dimensions) {
      const message = `its vectors have ${numbers.length} dimensions, but the space has ${expected.dimensions}`;
      return fail({ kind: "misfit", message, tokens });
    }
    vectors[index as number] = toUnitLength(numbers);
  }
  return succeed({ vectors: vectors as TextVector[], tokens });
}

function parseJson(body: string): Result<unknown, null> {
  try {
    return succeed(JSON.parse(body));
  } catch {
    // Python's json writes NaN and Infinity, which are no JSON: one such number must not cost its whole batch.
    const mended = body.replace(/(?<=[[,:]\s{0,8})-?(?:NaN|Infinity)(?=\s*[,\]}])/g, "null");
    if (mended === body) return fail(null);
    try {
      return succeed(JSON.parse(mended));
    } catch {
      return fail(null);
    }
  }
}

function tokensOf(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** Little-endian, as every processor that Node's ONNX runtime supports. */
function fromBase64(text: string): Float32Array | null {
  if (!base64Pattern.test(text)) return null;
  const bytes = Buffer.from(text, "base64");
  if (bytes.length % 4 !== 0) return null;
  const numbers = new Float32Array(bytes.length / 4);
  new Uint8Array(numbers.buffer).set(bytes);
  return numbers;
}

function toUnitLength(numbers: readonly unknown[] | Float32Array): TextVector {
  const vector = new Float32Array(numbers.length);
  let isZero = true;
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i];
    // After rounding to float32, which turns 1e300 into Infinity.
    vector[i] = typeof value === "number" ? value : Number.NaN;
    if (!Number.isFinite(vector[i])) return fail("a vector that holds something else than finite numbers");
    if (vector[i] !== 0) isZero = false;
  }
  return isZero ? fail("a vector that is all zero") : succeed(normalize(vector));
}
