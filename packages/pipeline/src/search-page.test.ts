import {
  type Collection,
  checkConfig,
  closedFormEncoder,
  type Encoder,
  type HitPlace,
  type SearchQuery,
} from "@medley/core";
import { expect, test } from "vitest";
import { type CollectionEncoders, collectionEncoders } from "./collection-encoders.ts";
import type { Query } from "./query.ts";
import { searchPage } from "./search-page.ts";

const dayMs = 86_400_000;

function opened(range: readonly [number, number] = [0, 10]): CollectionEncoders {
  const [collection] = checkConfig({
    collections: {
      news: {
        fields: { at: "timestamp", size: "number" },
        spaces: {
          at: { encoder: "recency", field: "at", horizonDays: 100 },
          size: { encoder: "number", field: "size", range },
        },
      },
    },
  }) as [Collection];
  const encoders = collection.spaces.map((space) => closedFormEncoder(space, collection.fields) as Encoder);
  return collectionEncoders(collection, encoders);
}

/** Hits 1 to 25 of any search. */
async function found({ k, after }: Query): Promise<readonly HitPlace[]> {
  const first = (after?.place ?? 0) + 1;
  return Array.from({ length: Math.min(k, 26 - first) }, (_, n) => ({
    ...{ id: `n${first + n}`, score: 1 / (first + n), place: first + n },
  }));
}

function pages(collection = opened()) {
  const queries: Query[] = [];
  const search = (query: Query) => {
    queries.push(query);
    return found(query);
  };
  const ask = (query: SearchQuery, nowMs: number) =>
    searchPage(collection, query, { search, clock: { nowMs: () => nowMs } });
  return { queries, ask };
}

test("now stays what it was on the first page, in parts and where only a weight is given", async () => {
  const { ask, queries } = pages();
  const query = { parts: { at: { halfLifeDays: 5 } }, weights: { at: 2 }, k: 10 };
  const first = await ask(query, 7 * dayMs);
  const second = await ask({ ...query, after: first.cursor as string }, 30 * dayMs);
  const third = await ask({ ...query, after: second.cursor as string }, 60 * dayMs);
  expect(third.cursor).toBeNull();
  const [one, ...others] = queries as [Query, Query, Query];
  for (const other of others) expect([other.atMs, other.segments]).toEqual([one.atMs, one.segments]);
  expect(one.atMs).toBe(7 * dayMs);
  expect([...first.hits, ...second.hits, ...third.hits].map(({ place }) => place)).toEqual(
    Array.from({ length: 25 }, (_, n) => n + 1),
  );
  await ask(query, 30 * dayMs);
  expect(queries.at(-1)?.segments).not.toEqual(one.segments);
  const named = { ...query, parts: { at: { now: 7 * dayMs, halfLifeDays: 5 } } };
  await ask(named, 90 * dayMs);
  expect(queries.at(-1)?.segments).toEqual(one.segments);
});

test("a cursor is small and belongs to one search, by whatever order its keys are in, and to one set of encoders", async () => {
  const query = { parts: { size: 3 }, weights: { size: 2, at: 0 }, filter: { size: { gt: 1 } } };
  const { ask } = pages();
  const cursor = (await ask(query, 0)).cursor as string;
  expect(cursor.length).toBeLessThan(150);
  const reordered = { filter: { size: { gt: 1 } }, weights: { at: 0, size: 2 }, parts: { size: 3 } };
  expect((await ask({ ...reordered, k: 3, after: cursor }, 0)).hits[0]?.place).toBe(11);
  const others: [SearchQuery, CollectionEncoders][] = [
    [{ ...query, parts: { size: 4 } }, opened()],
    [{ ...query, scoreMin: 0 }, opened()],
    [query, opened([0, 11])],
  ];
  for (const [other, collection] of others) {
    await expect(pages(collection).ask({ ...other, after: cursor }, 0)).rejects.toMatchObject({
      code: "query_invalid",
      message: "the cursor belongs to another search",
    });
  }
});

test.for(["", "x", "W10", Buffer.from('[1,"x",0,0,null,"a"]').toString("base64url")])(
  "%o is no cursor",
  async (after) => {
    await expect(pages().ask({ parts: { size: 3 }, after }, 0)).rejects.toMatchObject({
      code: "query_invalid",
      message: '"after" is no cursor of an answer',
    });
  },
);
