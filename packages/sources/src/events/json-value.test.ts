import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonOf, keyOf } from "./json-value.ts";

function parsed(text: string): unknown {
  const result = jsonOf(Buffer.from(text), "it");
  return result.ok ? result.value : result.failure;
}

/** The language's own way to see how a number was written. */
function withReviver(text: string): unknown {
  return JSON.parse(
    text,
    function exact(this: unknown, _key: string, value: unknown, context?: { source?: string }) {
      const source = context?.source ?? "";
      return typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source)
        ? source
        : value;
    },
  );
}

test("only integers beyond 2^53 differ from JSON.parse, and are as written", () => {
  const text = fc.string({
    unit: fc.constantFrom('"', "\\", "1", "9007199254740993", ":", ",", "{", "\n", "é", "-", "."),
  });
  const number = fc.oneof(
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
    fc.constantFrom(
      "9007199254740991",
      "9007199254740992",
      "-9007199254740993",
      "0.12345678901234567890",
      "1e400",
      "12345678901234567e2",
    ),
  );
  const value = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      number,
      text.map((one) => JSON.stringify(one)),
      fc.array(tie("value"), { maxLength: 4 }).map((all) => `[${all.join(" , ")}]`),
      // Of a key that comes twice with a list or object, V8's reviver is given no sources for what follows.
      fc
        .uniqueArray(fc.tuple(text, tie("value")), { maxLength: 4, selector: ([key]) => key })
        .map((all) => `{${all.map(([key, one]) => `${JSON.stringify(key)} : ${one}`).join(",")}}`),
    ),
  })).value;
  fc.assert(
    fc.property(value, (json) => {
      expect(parsed(json)).toEqual(withReviver(json));
    }),
    { numRuns: 3_000 },
  );
});

test("a long text full of escapes is read", () => {
  const text = '\\"\n1234567890123456789'.repeat(100_000);
  expect(parsed(JSON.stringify({ text, id: 1 }))).toEqual({ text, id: 1 });
});

test.for([
  ["", undefined],
  ["007", "007"],
  ["true", "true"],
  ['"a"', "a"],
  ['{"id":9007199254740993}', { id: "9007199254740993" }],
  ["{a:1}", "{a:1}"],
  ["[1]", [1]],
] as const)("the key %j is %j", ([text, expected]) => {
  expect(keyOf(Buffer.from(text))).toEqual(expected);
});
