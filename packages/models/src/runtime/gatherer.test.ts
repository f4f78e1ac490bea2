import { MedleyError } from "@medley/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Gatherer } from "./gatherer.ts";
import { type Rows, splitRows } from "./rows.ts";
import type { RunAnswer } from "./session.ts";
import { ThreadLost } from "./thread.ts";

const bounds = { paddedValuesMax: 64, batchRowsMax: 16, runCostValues: 2, pads: true };

/** A row's vector is [its first value, its length]: so each caller can tell its own. */
function answerOf(rows: Rows): RunAnswer {
  const lists = splitRows(rows);
  return {
    vectors: Float32Array.from(lists.flatMap((row) => [row[0] as number, row.length])),
    failed: lists.flatMap((row, index) => (row[0] === notANumber ? [index] : [])),
    paddedValues: 0,
    usefulValues: 0,
  };
}
const notANumber = -1;
const rowOf = (value: number, length = 4) => new Int32Array(length).fill(value);
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Batches as they were run, each answered by `run`; `threads` at once. */
function gathering(
  run: (rows: Rows) => Promise<RunAnswer> | RunAnswer = answerOf,
  options: {
    threads?: number;
    gatherMsMax?: number;
    evenAgeMs?: number;
    bounds?: Partial<typeof bounds>;
  } = {},
) {
  const { threads = 1, gatherMsMax = 20, evenAgeMs = 0 } = options;
  const batches: number[][] = [];
  let atOnce = 0;
  let atOnceMost = 0;
  const gatherer = new Gatherer({
    bounds: { ...bounds, ...options.bounds },
    dimensions: 2,
    threads: () => threads,
    gatherMsMax,
    evenAgeMs,
    run: async (rows) => {
      batches.push(splitRows(rows).map((row) => row[0] as number));
      atOnceMost = Math.max(atOnceMost, ++atOnce);
      try {
        await later(1);
        return await run(rows);
      } finally {
        atOnce--;
      }
    },
  });
  return { gatherer, batches, atOnceMost: () => atOnceMost };
}

function values(results: Awaited<ReturnType<Gatherer["submit"]>>): (number | string)[] {
  return results.map((result) => (result.ok ? (result.value[0] as number) : result.failure.code));
}

test("whatever callers come when, each gets its own rows' vectors in order, within the bounds", async () => {
  const callers = fc.array(
    fc.record({
      delayMs: fc.integer({ min: 0, max: 5 }),
      lengths: fc.array(fc.integer({ min: 1, max: 80 }), { maxLength: 30 }),
    }),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(callers, fc.integer({ min: 1, max: 3 }), async (each, threads) => {
      const { gatherer, batches, atOnceMost } = gathering(answerOf, { threads });
      let next = 0;
      await Promise.all(
        each.map(async ({ delayMs, lengths }) => {
          await later(delayMs);
          const rows = lengths.map((length) => rowOf(next++, length));
          const results = await gatherer.submit(rows);
          expect(results.map((result) => result.ok && [...result.value])).toEqual(
            rows.map((row) => [row[0], row.length]),
          );
        }),
      );
      expect(batches.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: next }, (_, i) => i));
      expect(Math.max(0, ...batches.map((batch) => batch.length))).toBeLessThanOrEqual(bounds.batchRowsMax);
      expect(atOnceMost()).toBeLessThanOrEqual(threads + 1);
      expect(gatherer.pending).toBe(0);
    }),
    { numRuns: 30 },
  );
});

test("callers that come while a batch runs share the next one", async () => {
  const { gatherer, batches } = gathering();
  await Promise.all([1, 2, 3, 4].map((value) => gatherer.submit([rowOf(value)])));
  expect(batches).toEqual([[1], [2, 3, 4]]);
});

test("a row waits for others that are being prepared, for a while", async () => {
  const { gatherer, batches } = gathering(answerOf, { gatherMsMax: 10_000 });
  const came = gatherer.expect();
  const first = gatherer.submit([rowOf(1)]);
  await later(5);
  expect(batches).toEqual([]);
  const second = gatherer.submit([rowOf(2)]);
  came();
  expect(values([...(await first), ...(await second)])).toEqual([1, 2]);
  expect(batches).toEqual([[1, 2]]);

  const impatient = gathering(answerOf, { gatherMsMax: 5 });
  impatient.gatherer.expect(); // Whose rows never come.
  expect(values(await impatient.gatherer.submit([rowOf(1)]))).toEqual([1]);
});

test("a full batch waits for nothing", async () => {
  const { gatherer } = gathering(answerOf, { gatherMsMax: 10_000 });
  gatherer.expect();
  const rows = Array.from({ length: 16 }, (_, i) => rowOf(i));
  expect(values(await gatherer.submit(rows))).toEqual(rows.map((_, i) => i));
});

test("who came first goes first; of those about equally old the longest", async () => {
  const orderOf = async (evenAgeMs: number) => {
    const { gatherer, batches } = gathering(answerOf, { evenAgeMs, bounds: { batchRowsMax: 1 } });
    const rows = [rowOf(1, 5), rowOf(2, 9), rowOf(3, 12), rowOf(4, 60), rowOf(5, 30)];
    const submitted = rows.map((row) => {
      const beforeMs = performance.now();
      while (performance.now() <= beforeMs); // So that each is a little older than the next.
      return gatherer.submit([row]);
    });
    await Promise.all(submitted);
    return batches.flat();
  };
  // Two are running before the others come.
  expect(await orderOf(0)).toEqual([1, 2, 3, 4, 5]);
  expect(await orderOf(10_000)).toEqual([1, 2, 4, 5, 3]);
});

test.for([1, 7, 16])(
  "one bad row of 16 at place %s fails alone; others run at most log2(16) + 1 more times",
  async (bad) => {
    const { gatherer, batches } = gathering((rows) => {
      if (splitRows(rows).some((row) => row[0] === bad))
        throw new MedleyError("encoder_failed", "bad row", { mend: "mend" });
      return answerOf(rows);
    });
    const results = await gatherer.submit(Array.from({ length: 16 }, (_, i) => rowOf(i + 1)));
    expect(values(results)).toEqual(
      Array.from({ length: 16 }, (_, i) => (i + 1 === bad ? "encoder_failed" : i + 1)),
    );
    expect(results[bad - 1]).toEqual({
      ok: false,
      failure: { code: "encoder_failed", message: "bad row", mend: "mend" },
    });
    for (let value = 1; value <= 16; value++) {
      if (value !== bad)
        expect(batches.filter((batch) => batch.includes(value)).length).toBeLessThanOrEqual(5);
    }
  },
);

test("a vector that is not finite fails its row alone, without another run", async () => {
  const { gatherer, batches } = gathering();
  expect(values(await gatherer.submit([rowOf(1), rowOf(notANumber), rowOf(2)]))).toEqual([
    1,
    "encoder_failed",
    2,
  ]);
  expect(batches).toHaveLength(1);
});

const lost = () => new MedleyError("encoder_unavailable", "lost", { cause: new ThreadLost("it exited") });

test("a row that ends its thread every time fails alone as its own fault", async () => {
  const { gatherer } = gathering((rows) => {
    if (splitRows(rows).some((row) => row[0] === 3)) throw lost();
    return answerOf(rows);
  });
  const results = await gatherer.submit([1, 2, 3, 4].map((value) => rowOf(value)));
  expect(values(results)).toEqual([1, 2, "encoder_failed", 4]);
});

test("where every row ends its thread it may not be theirs: all may be tried again", async () => {
  const { gatherer } = gathering(() => Promise.reject(lost()));
  const results = await gatherer.submit([1, 2, 3].map((value) => rowOf(value)));
  expect(values(results)).toEqual(Array(3).fill("encoder_unavailable"));
});

test("while the model can't be run nothing is halved", async () => {
  const { gatherer, batches } = gathering(() => {
    throw new MedleyError("encoder_unavailable", "down");
  });
  const results = await gatherer.submit([1, 2, 3].map((value) => rowOf(value)));
  expect(values(results)).toEqual(Array(3).fill("encoder_unavailable"));
  expect(batches).toHaveLength(1);
});

test("who gives up leaves; others go on", async () => {
  const { gatherer, batches } = gathering();
  const giveUp = new AbortController();
  const running = gatherer.submit([rowOf(1)]);
  const leaving = gatherer.submit([rowOf(2)], giveUp.signal);
  const staying = gatherer.submit([rowOf(3)]);
  giveUp.abort(new Error("enough"));
  await expect(leaving).rejects.toThrow("enough");
  expect(values([...(await running), ...(await staying)])).toEqual([1, 3]);
  expect(batches).toEqual([[1], [3]]);
  await expect(gatherer.submit([rowOf(4)], giveUp.signal)).rejects.toThrow("enough");
});

test("no rows, no run", async () => {
  const { gatherer, batches } = gathering();
  expect(await gatherer.submit([])).toEqual([]);
  expect(batches).toEqual([]);
});
