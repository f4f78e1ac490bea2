import { expect, test } from "vitest";
import { DownHosts } from "./down-hosts.ts";

test("a host is down for a while, or until it succeeds", () => {
  const down = new DownHosts({ memoryMs: 100 });
  down.add("a", 1_000);
  down.add("b", 1_050);
  expect([down.has("a", 1_099), down.has("a", 1_100), down.has("b", 1_100), down.has("c", 0)]).toEqual([
    true,
    false,
    true,
    false,
  ]);
  down.delete("b");
  expect(down.has("b", 1_100)).toBe(false);
});

test("the longest known is forgotten where there are too many", () => {
  const down = new DownHosts({ memoryMs: 100 });
  for (let i = 0; i < 1_000; i++) down.add(`${i}`, 0);
  down.add("0", 0); // Known again, so no longer the oldest.
  down.add("1000", 0);
  expect([down.has("0", 1), down.has("1", 1), down.has("2", 1), down.has("1000", 1)]).toEqual([
    true,
    false,
    true,
    true,
  ]);
});
