import { strict as assert } from "node:assert";
import type { SegmentLayout } from "@medley/core";
import type pg from "pg";
import { duel, secondsOf } from "../duel.ts";
import type { Measurement } from "../measurement.ts";
import { openRowStore, randomRow, randomVector, seededRandom } from "../random-rows.ts";

const rowsCount = 5_000;
const rowsPerStatement = 500;
const rounds = 25;
const searchesPerRound = 5;
const ratioMax = 1.1;
const dimensions = { plot: 384, genres: 40, year: 26 };

/** What `medley.search` costs against SQL written by hand that reads the same rows and gives the same columns. */
export async function run(): Promise<Measurement[]> {
  await using rows = await openRowStore(dimensions);
  const { pool, store, layout } = rows;
  const random = seededRandom(1);
  for (let n = 0; n < rowsCount; n += rowsPerStatement) {
    const batch = Array.from({ length: rowsPerStatement }, (_, at) => randomRow(n + at, layout, random));
    await store.writeRows("films", batch, null);
  }
  await pool.query("vacuum (analyze) medley_internal.films_g1");
  const queries = Array.from(
    { length: searchesPerRound },
    () => `[${randomVector(layout, random).join(",")}]`,
  );
  const round = (sql: string) => () =>
    secondsOf(async () => {
      for (const query of queries) await pool.query(sql, [query]);
    });
  const fight = await duel(rounds, round(functionSql), round(handWrittenSql(layout)));
  await assertSameHits(pool, queries, layout);
  const ratio = fight.oursSeconds / fight.theirsSeconds;
  const milliseconds = (seconds: number) => ((seconds / searchesPerRound) * 1_000).toFixed(2);
  return [
    {
      name: "medley.search / the same SQL by hand",
      value: ratio,
      goal: `at most ${ratioMax}`,
      met: ratio <= ratioMax,
      detail:
        `${rowsCount} rows of 450 dimensions in 3 spaces, 10 hits with their contributions, embedded engine, exact scan: ` +
        `function ${milliseconds(fight.oursSeconds)}, by hand ${milliseconds(fight.theirsSeconds)} ms per search; ` +
        `ratio ${(1 / fight.ratioMax).toFixed(3)} to ${(1 / fight.ratioMin).toFixed(3)} over ${rounds} rounds`,
    },
  ];
}

const functionSql = "select id, score, contributions from medley.search('films', $1::vector, 10)";

function handWrittenSql(layout: readonly SegmentLayout[]): string {
  const parts = layout.map(({ space, offset, dimensions: length }) => {
    const range = `${offset + 1}, ${length}`;
    return `inner_product(subvector(embedding, ${range}), subvector($1::vector, ${range})) as ${space}`;
  });
  return `select id, plot + genres + year as score, to_jsonb(part) as contributions
from (
  select id, embedding::vector from medley.films order by embedding::vector <#> $1::vector, id limit 10
) as nearest, lateral (select ${parts.join(", ")} offset 0) as part
order by 2 desc, 1`;
}

async function assertSameHits(
  pool: pg.Pool,
  queries: readonly string[],
  layout: readonly SegmentLayout[],
): Promise<void> {
  for (const query of queries) {
    const ours = await pool.query(functionSql, [query]);
    const theirs = await pool.query(handWrittenSql(layout), [query]);
    assert.equal(ours.rows.length, 10);
    assert.deepEqual(ours.rows, theirs.rows);
  }
}
