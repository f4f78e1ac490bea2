import { strict as assert } from "node:assert";
import { secondsOf } from "../duel.ts";
import { type Measurement, median } from "../measurement.ts";
import { openRowStore, randomRow, seededRandom } from "../random-rows.ts";

const batchesPerRound = 10;
const rounds = 7;
const rowsPerBatch = 1_000;
const rowsPerSecondMin = 6_000;

/** Rows per second of `writeRows` alone: vectors are ready, nothing else runs. */
export async function run(): Promise<Measurement[]> {
  await using rows = await openRowStore({ plot: 400 });
  const { pool, store, layout } = rows;
  const random = seededRandom(1);
  const rates: number[] = [];
  let written = 0;
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    const batches = Array.from({ length: batchesPerRound }, () =>
      Array.from({ length: rowsPerBatch }, () => randomRow(written++, layout, random)),
    );
    const seconds = await secondsOf(async () => {
      for (const batch of batches) await store.writeRows("films", batch, null);
    });
    if (round > 0) rates.push((batchesPerRound * rowsPerBatch) / seconds);
  }
  const { rows: counted } = await pool.query("select count(*)::int as count from medley.films");
  assert.equal(counted[0].count, written);
  const rate = median(rates);
  return [
    {
      name: "guarded upsert, rows/s",
      value: Math.round(rate),
      goal: `at least ${rowsPerSecondMin}`,
      met: rate >= rowsPerSecondMin,
      detail:
        `new rows of 400 dimensions, ${rowsPerBatch} per statement, embedded engine on disk, one writer: ` +
        `${Math.round(Math.min(...rates))} to ${Math.round(Math.max(...rates))} rows/s over ${rounds} rounds`,
    },
  ];
}
