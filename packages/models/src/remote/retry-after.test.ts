import { expect, test } from "vitest";
import { askedWaitMs, retryWaitMs } from "./retry-after.ts";

const date = "Wed, 21 Oct 2026 07:28:00 GMT";
test.for<[Record<string, string>, number | null]>([
  [{}, null],
  [{ "retry-after": "2" }, 2_000],
  [{ "retry-after": " 0.5 " }, 500],
  [{ "retry-after": "-2" }, null],
  [{ "retry-after": "soon" }, null],
  [{ "retry-after-ms": "20", "retry-after": "9" }, 20],
  [{ "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", date }, 30_000],
  [{ "retry-after": "Wed, 21 Oct 2026 07:20:00 GMT", date }, 0],
  [{ "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT" }, null],
  [{ "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30.5s" }, 90_500],
  [{ "x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "1s" }, null],
  [{ "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "17ms" }, 17],
  [
    {
      "x-ratelimit-remaining-tokens": "0",
      "x-ratelimit-reset-tokens": "1h2m",
      "x-ratelimit-remaining-requests": "0",
      "x-ratelimit-reset-requests": "3s",
    },
    3_720_000,
  ],
  [{ "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "later" }, null],
  [{ "retry-after": "1", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9s" }, 1_000],
])("%j asks for %s ms", ([headers, expected]) => {
  expect(askedWaitMs(new Headers(headers))).toBe(expected);
});

test("full jitter: from nothing to a bound that doubles up to 20 s", () => {
  expect([1, 2, 3, 5, 6, 9].map((attempt) => retryWaitMs(attempt, null, () => 1))).toEqual([
    1_000, 2_000, 4_000, 16_000, 20_000, 20_000,
  ]);
  expect(retryWaitMs(9, null, () => 0)).toBe(0);
  expect([0, 1].map((random) => retryWaitMs(3, 2_000, () => random))).toEqual([2_000, 2_500]);
});
