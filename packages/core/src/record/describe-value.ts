/** Why Postgres could not keep this string as it is, or `undefined`. */
export function textProblem(text: string): string | undefined {
  if (text.includes("\u0000")) return "contains U+0000, which Postgres can't store; remove it";
  if (!text.isWellFormed()) return "contains a lone surrogate, which is no valid Unicode; remove it";
  return undefined;
}

export function isObject(input: unknown): input is Record<string, unknown> {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}

export function kindOf(input: unknown): string {
  if (input === null || input === undefined) return "missing";
  if (Array.isArray(input)) return "a list";
  return typeof input === "object" ? "an object" : `a ${typeof input} (${show(input)})`;
}

/** A value for a message: at most 60 characters. */
export function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
