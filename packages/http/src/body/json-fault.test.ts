import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonFaultAt, placeInText } from "./json-fault.ts";

test.for([
  ['{"a":}', 5],
  ['{"a":1,}', 7],
  ['{"a" 1}', 5],
  ["[1 2]", 3],
  ["[1,]", 3],
  ["{a:1}", 1],
  ["[1]]", 3],
  ["[1}", 2],
  ["01", 1],
  ["[tru]", 1],
  ['["a\nb"]', 1],
  ['["\\x"]', 1],
  ["]", 0],
  ["", 0],
  ["[1", 2],
  ['{"a":', 5],
] as const)("%j stops being JSON at %i", ([text, offset]) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(jsonFaultAt(text)).toBe(offset);
});

test("what comes before the fault can go on to be JSON, and JSON has no fault but its end", () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.constantFrom("}", "]", ",", ":", "x"), (json, at, wrong) => {
      expect(jsonFaultAt(json)).toBe(json.length);
      const text = json.slice(0, at % json.length) + wrong + json.slice(at % json.length);
      const parses = (() => {
        try {
          JSON.parse(text);
          return true;
        } catch {
          return false;
        }
      })();
      if (parses) expect(jsonFaultAt(text)).toBe(text.length);
      else expect(jsonFaultAt(text.slice(0, jsonFaultAt(text)))).toBe(jsonFaultAt(text));
    }),
  );
});

test("a fault after 100,000 open lists is found without recursion", () => {
  expect(jsonFaultAt(`${"[".repeat(100_000)}x`)).toBe(100_000);
});

test("places count lines and columns from 1", () => {
  expect(placeInText("ab\ncd\nef", 0)).toBe("line 1, column 1");
  expect(placeInText("ab\ncd\nef", 4)).toBe("line 2, column 2");
  expect(placeInText("ab\ncd\nef", 8)).toBe("line 3, column 3");
});
