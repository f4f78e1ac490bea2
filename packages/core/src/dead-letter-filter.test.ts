import { expect, test } from "vitest";
import { deadLetterConditions } from "./dead-letter-filter.ts";

test.for([
  [{}, []],
  [{ code: "encoder_failed" }, [{ column: "code", type: "text", operator: "eq", value: "encoder_failed" }]],
  [{ replayedAt: null }, [{ column: "replayedAt", type: "time", operator: "null", value: true }]],
  [{ runId: { null: false } }, [{ column: "runId", type: "text", operator: "null", value: false }]],
  [
    { createdAt: { gte: "2026-11-01", lt: "2026-11-02T01:00:00+02:00" } },
    [
      { column: "createdAt", type: "time", operator: "gte", value: "2026-11-01T00:00:00.000Z" },
      { column: "createdAt", type: "time", operator: "lt", value: "2026-11-01T23:00:00.000Z" },
    ],
  ],
  [
    { version: "9223372036854775807" },
    [{ column: "version", type: "integer", operator: "eq", value: "9223372036854775807" }],
  ],
  [{ attempt: { in: [1, 2n] } }, [{ column: "attempt", type: "integer", operator: "in", value: ["1", "2"] }]],
  [{ source: { like: "a\\\\%" } }, [{ column: "source", type: "text", operator: "like", value: "a\\\\%" }]],
  [{ code: undefined }, []],
] as const)("%o is taken as its conditions", ([where, conditions]) => {
  expect(deadLetterConditions(where)).toEqual(conditions);
});

test.for([
  [null, "must be an object"],
  [[], "must be an object"],
  [{ cod: "x" }, 'no column "cod"'],
  [{ payload: "x" }, 'no column "payload"'],
  [{ toString: "x" }, 'no column "toString"'],
  [{ 'code" or true --': "x" }, "no column"],
  [{ code: { gte: "x" } }, 'no operator "gte"'],
  [{ code: { like: 7 } }, "code.like must be a text"],
  [{ code: true }, "code.eq must be a text"],
  [{ source: { like: "a\\" } }, "backslash"],
  [{ reason: "a\u0000" }, "U+0000"],
  [{ reason: "\ud800" }, "surrogate"],
  [{ attempt: 1.5 }, "whole number"],
  [{ version: 2 ** 60 }, "whole number"],
  [{ version: "9223372036854775808" }, "whole number"],
  [{ version: { like: "1%" } }, 'no operator "like"'],
  [{ attempt: { in: 3 } }, "must be a list"],
  [{ code: { in: Array.from({ length: 1_001 }, String) } }, "at most 1000"],
  [{ createdAt: "yesterday" }, "must be a time"],
  [{ createdAt: "2026-13-01" }, "must be a time"],
  [{ createdAt: "2026-11-01T10:00:00" }, "must be a time"],
  [{ replayedAt: { null: "yes" } }, "true or false"],
] as const)("%j is refused: %s", ([where, message]) => {
  const check = () => deadLetterConditions(where);
  expect(check).toThrow(message);
  expect(check).toThrow(expect.objectContaining({ code: "query_invalid" }));
});
