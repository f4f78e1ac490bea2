import {
  type Collection,
  checkConfig,
  closedFormEncoder,
  fuse,
  type VectorEnvelope,
  version,
} from "@medley/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildIndex, readAllCollections } from "../collection-index.ts";
import type { PostgresStore } from "../postgres-store.ts";
import { openStore, type TestDatabase } from "../test-database.fixture.ts";

const rowsCount = 600;
const names = ["bar", "books", "dairy", "fish", "tea", "wine"];

const [collection] = checkConfig({
  collections: {
    shops: {
      fields: { kind: "category", kinds: "categories", trade: "shares" },
      spaces: {
        kind: { encoder: "category", field: "kind", values: names },
        kinds: { encoder: "category", field: "kinds", values: names, unknown: "other" },
        trade: { encoder: "category", field: "trade", values: names },
      },
    },
  },
}) as [Collection];

const named = (n: number) => names.filter((_, at) => ((n * 7_919) >> (at + 2)) % 5 < 2);

function fieldsOf(n: number): VectorEnvelope["fields"] {
  return {
    kind: n % 9 === 0 ? null : (names[(n * 7) % names.length] as string),
    kinds: n % 10 === 0 ? null : [...named(n), ...(n % 4 === 0 ? ["zinc"] : [])],
    trade:
      n % 11 === 0 ? null : Object.fromEntries(named(n + 1).map((name, at) => [name, 1 + ((n + at) % 5)])),
  };
}

/** Paths of kind `inverted`: all that a search by categories can want is among what they give. */
export function describeCategoryPaths(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  beforeAll(async () => {
    database = await open();
    const encoders = collection.spaces.map((space) => {
      const encoder = closedFormEncoder(space, collection.fields);
      if (encoder === null) throw new Error("closed forms only");
      return encoder;
    });
    let offset = 0;
    const layout = collection.spaces.map(({ name }, at) => {
      const dimensions = encoders[at]?.dimensions as number;
      offset += dimensions;
      return { space: name, offset: offset - dimensions, dimensions, encoderIdentity: name };
    });
    store = await openStore(database, { collection, layout });
    const rows = await Promise.all(
      Array.from({ length: rowsCount }, async (_, n): Promise<VectorEnvelope> => {
        const fields = fieldsOf(n);
        const segments = await Promise.all(
          encoders.map(async (encoder, at) => {
            const value = fields[collection.spaces[at]?.fields[0] as string];
            const [result] = value === null ? [] : await encoder.encode([value]);
            return result?.ok ? result.value : new Float32Array(encoder.dimensions);
          }),
        );
        return {
          id: `shop-${String(n).padStart(3, "0")}`,
          version: version(1n),
          op: "upsert",
          source: "test",
          fields,
          vector: Float16Array.from(fuse(segments)),
          segmentHashes: new Uint8Array(16 * layout.length),
        };
      }),
    );
    await store.writeRows("shops", rows, null);
    await buildIndex(database.connectionString, "shops");
  }, 120_000);
  afterAll(() => database.close());

  /** Scores of the rows of one space's path, and of the best of all rows. */
  async function scoresOf(
    space: string,
    asked: unknown,
    options: { weight?: number; depth?: number; filter?: object } = {},
  ) {
    const { weight = 1, depth = rowsCount, filter = null } = options;
    const { rows } = await database.pool.query<{
      ids: string[] | null;
      found: number[] | null;
      best: number[];
    }>(
      `with asked as (
  select found, medley.query('shops', $1, $2) as query, medley_internal.filter_condition(found, $4) as condition
  from medley_internal.collection_of('shops') as found
)
select ids, (
  select array_agg(-distance order by distance) from unnest(distances) as distance
) as found, array(
  select score from medley.search('shops', query, 20, $4, 1)
) as best
from asked, jsonb_array_elements(medley_internal.open_paths(found)) as path,
  medley_internal.path_candidates(found, path || jsonb_build_object('depth', $5::int), query, query::halfvec, 20, condition, $4)
where path ->> 'space' = $3 and path ->> 'kind' = 'inverted'`,
      [{ [space]: asked }, { [space]: weight }, space, filter, depth],
    );
    expect(rows).toHaveLength(1);
    return rows[0] as (typeof rows)[0];
  }

  const questions: [string, unknown][] = [
    ["kind", "tea"],
    ["kinds", ["tea"]],
    ["kinds", ["tea", "books"]],
    ["kinds", ["bar", "books", "wine"]],
    ["trade", { tea: 3, fish: 2 }],
    ["trade", { wine: 1, bar: 0.1 }],
  ];
  for (const [filter, passing] of [
    [undefined, "all rows"],
    [{ kind: { in: ["tea", "bar", "fish"] } }, "those that pass a filter"],
  ] as const) {
    test.for(questions)(`of ${passing} the best by %s are those of a scan: %j`, async ([space, asked]) => {
      for (const weight of [1, -2]) {
        const { found, best } = await scoresOf(space, asked, { weight, ...(filter && { filter }) });
        expect(found).toHaveLength(20);
        for (const [place, score] of (found as number[]).entries())
          expect(score).toBeCloseTo(best[place] as number, 2);
      }
    });
  }

  test("rows with all that is asked for come before those with some of it", async () => {
    const { ids } = await scoresOf("kinds", ["tea", "books"], { depth: 20 });
    expect(ids).toHaveLength(20);
    for (const id of ids as string[]) {
      expect(fieldsOf(Number(id.slice(-3))).kinds).toEqual(expect.arrayContaining(["tea", "books"]));
    }
  });

  test("a name beyond the vocabulary has no list: other paths find it", async () => {
    expect(await scoresOf("kinds", ["zinc"])).toMatchObject({ found: null });
  });

  test("each is an index of its own", async () => {
    const [status] = await readAllCollections(database.pool);
    expect(status).toMatchObject({ index: expect.anything() });
    const { rows } = await database.pool.query<{ indexdef: string }>(
      "select indexdef from pg_indexes where tablename = 'shops_g1' and indexname like '%categories%' order by indexname",
    );
    expect(rows.map(({ indexdef }) => /using (\w+)/i.exec(indexdef)?.[1])).toEqual(["btree", "gin", "gin"]);
  });
}
