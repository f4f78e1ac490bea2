type Expected = "value" | "value or end" | "key" | "key or end" | "colon" | "comma or end";

const blank = /[ \t\n\r]*/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const escaped = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;

/**
 * Where a text that `JSON.parse` refused stops being JSON: the offset of the first token that can't stand there, or the
 * text's length where it is cut short. The engine's own message says it for some faults only, and repeats the content.
 */
export function jsonFaultAt(text: string): number {
  const open: ("{" | "[")[] = [];
  let expected: Expected = "value";
  let at = 0;
  while (true) {
    at = matchEnd(blank, text, at) ?? at;
    const char = text[at];
    const inside = open.at(-1);
    if (char === undefined) return text.length;
    const closes = char === (inside === "{" ? "}" : "]") && expected.endsWith("or end");
    if (closes && inside !== undefined) {
      open.pop();
      expected = "comma or end";
      at += 1;
    } else if (expected === "comma or end") {
      if (char !== "," || inside === undefined) return at;
      expected = inside === "{" ? "key" : "value";
      at += 1;
    } else if (expected === "colon") {
      if (char !== ":") return at;
      expected = "value";
      at += 1;
    } else if (expected.startsWith("value") && (char === "{" || char === "[")) {
      open.push(char);
      expected = char === "{" ? "key or end" : "value or end";
      at += 1;
    } else {
      const isKey = expected.startsWith("key");
      const end = char === '"' ? stringEnd(text, at) : isKey ? null : matchEnd(scalar, text, at);
      if (end === null) return at;
      expected = isKey ? "colon" : "comma or end";
      at = end;
    }
  }
}

/** `line 3, column 7`, both from 1. */
export function placeInText(text: string, offset: number): string {
  let line = 1;
  let lineStart = 0;
  for (let end = text.indexOf("\n"); end !== -1 && end < offset; end = text.indexOf("\n", end + 1)) {
    line += 1;
    lineStart = end + 1;
  }
  return `line ${line}, column ${offset - lineStart + 1}`;
}

function matchEnd(pattern: RegExp, text: string, at: number): number | null {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : null;
}

function stringEnd(text: string, start: number): number | null {
  for (let at = start + 1; at < text.length; ) {
    const char = text[at] as string;
    if (char === '"') return at + 1;
    if (char < " ") return null;
    const end = char === "\\" ? matchEnd(escaped, text, at) : at + 1;
    if (end === null) return null;
    at = end;
  }
  return null;
}
