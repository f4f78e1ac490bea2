import { expect, test } from "vitest";
import { Admission } from "./admission.ts";

/** Work that lasts until it is told to end. */
function work() {
  const end = Promise.withResolvers<string>();
  let begun = false;
  const run = () => {
    begun = true;
    return end.promise;
  };
  return { run, end: () => end.resolve("done"), begun: () => begun };
}

test("callers beyond the inputs wait, and enter in their order", async () => {
  const admission = new Admission({ inputsMax: 10, callersMax: 5 });
  const [first, large, small] = [work(), work(), work()];
  const ran = [admission.enter(6, first.run), admission.enter(10, large.run), admission.enter(1, small.run)];
  await Promise.resolve();
  expect([first, large, small].map((each) => each.begun())).toEqual([true, false, false]);
  first.end();
  await ran[0];
  await Promise.resolve();
  expect([large, small].map((each) => each.begun())).toEqual([true, false]); // The small one doesn't overtake.
  large.end();
  small.end();
  expect(await Promise.all(ran)).toEqual(["done", "done", "done"]);
});

test("one caller too many is refused, and may try again later", async () => {
  const admission = new Admission({ inputsMax: 1, callersMax: 1 });
  const [runs, waits] = [work(), work()];
  const ran = [admission.enter(1, runs.run), admission.enter(1, waits.run)];
  await expect(admission.enter(1, work().run)).rejects.toMatchObject({ code: "encoder_unavailable" });
  runs.end();
  waits.end();
  await Promise.all(ran);
  await expect(admission.enter(1, async () => "later")).resolves.toBe("later");
});

test("work that fails gives its room back", async () => {
  const admission = new Admission({ inputsMax: 1, callersMax: 1 });
  await expect(admission.enter(1, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await expect(admission.enter(1, async () => "next")).resolves.toBe("next");
});

test("who gives up while waiting makes way", async () => {
  const admission = new Admission({ inputsMax: 10, callersMax: 5 });
  const [runs, large, small] = [work(), work(), work()];
  const giveUp = new AbortController();
  const ran = admission.enter(6, runs.run);
  const gone = admission.enter(10, large.run, giveUp.signal);
  const next = admission.enter(1, small.run);
  giveUp.abort(new Error("enough"));
  await expect(gone).rejects.toThrow("enough");
  await Promise.resolve();
  expect([large.begun(), small.begun()]).toEqual([false, true]);
  runs.end();
  small.end();
  await Promise.all([ran, next]);
});
