import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { assignTask } from "./assign-task.ts";
import { cheap, classesOf, contender, splitOf } from "./contenders.fixture.ts";
import type { QueryRow } from "./ranking-judge.ts";

const records = 400;

type Asked = { readonly of: string | null; readonly wants: "topic" | "maker" };

/** Records of topics and of makers; a query wants those of its own topic, or of its own maker. */
function learnedFrom(asked: readonly Asked[], { signal = 6, seed = 1 } = {}) {
  const rows = records + asked.length;
  const told = { topic: classesOf(rows, 40, seed), maker: classesOf(rows, 40, seed + 50) };
  const queries = asked.map(({ of, wants }, at): QueryRow => {
    const same = told[wants]
      .slice(0, records)
      .flatMap((one, row): [number, number][] => (one === told[wants][records + at] ? [[row, 1]] : []));
    return { row: records + at, self: null, class: of, grades: new Map(same) };
  });
  const space = (name: "topic" | "maker") =>
    contender({ space: name, candidate: name, cost: cheap }, told[name], { signal, seed, dimensions: 40 });
  const task = { name: "search", kind: "retrieval", queries } as const;
  return assignTask([space("topic"), space("maker")], { task, split: splitOf(records) }, { seed }).weights;
}

/** So many queries, of which so many are of makers. */
function mixed(count: number, ofMakers: number): readonly Asked[] {
  const asked = Array.from({ length: count }, (_, at): Asked => {
    return at < ofMakers ? { of: "maker", wants: "maker" } : { of: "topic", wants: "topic" };
  });
  return new Random(3).shuffle(asked);
}

test("classes that want different things get different weights, which queries that they were not learned from confirm", () => {
  const learned = learnedFrom(mixed(160, 80));
  const [maker, topic] = learned?.classes ?? [];
  expect([maker?.class, topic?.class]).toEqual(["maker", "topic"]);
  for (const [one, own] of [
    [maker, 1],
    [topic, 0],
  ] as const) {
    expect(one?.isUsed).toBe(true);
    expect(one?.validation.low).toBeGreaterThan(0);
    expect(one?.test.difference).toBeGreaterThan(0);
    expect(one?.weights[own]?.low).toBeGreaterThan(one?.weights[1 - own]?.high as number);
  }
});

test("classes that want the same are refused, whatever differs by accident: at most 1 of 12 is used", () => {
  const used = [1, 2, 3, 4, 5, 6].flatMap((seed) => {
    const names = new Random(seed).shuffle(
      Array.from({ length: 120 }, (_, at) => (at % 2 === 0 ? "a" : "b")),
    );
    const asked = names.map((of): Asked => ({ of, wants: "topic" }));
    const learned = learnedFrom(asked, { signal: 4, seed });
    expect(learned?.classes).toHaveLength(2);
    return (learned?.classes ?? []).map(({ isUsed }) => isUsed);
  });
  expect(used.filter(Boolean).length).toBeLessThanOrEqual(1);
});

test("a class of fewer than 10 queries on either side has no weights of its own", () => {
  expect(learnedFrom(mixed(160, 14))?.classes.map((one) => one.class)).toEqual(["topic"]);
});

test("queries that name no class have none", () => {
  const asked = Array.from({ length: 60 }, (): Asked => ({ of: null, wants: "topic" }));
  expect(learnedFrom(asked)?.classes).toEqual([]);
});
