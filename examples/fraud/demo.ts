import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { averagePrecision, fitLogisticRegression } from "@medley/training";
import { backfill, type Deployment, loadConfig, openDeployment, openSource, readSettings } from "medley";
import pg from "pg";
import { type Transaction, transactions } from "./transactions.ts";

// Fraud in a stream of card payments. Three encoders are trained on the first six weeks; then each payment of the last two is
// scored by a regression on its segments: of each space alone, and of all of them fused.
const here = fileURLToPath(new URL(".", import.meta.url));
const dataDir = join(here, ".medley");
const say = (text: string) => process.stdout.write(`${text}\n`);
const days = 56;
const knownDays = 42;

const stream = transactions({ seed: 1, count: 16_000, days });
const endOfKnown = (stream[0] as Transaction).at + knownDays * 86_400_000;
const partOf = ({ at }: Transaction) => (at < endOfKnown ? "known" : "held out");

function writeRecords(name: string, chosen: readonly Transaction[]): string {
  const path = join(dataDir, name);
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(path, chosen.map((each) => `${JSON.stringify({ ...each, part: partOf(each) })}\n`).join(""));
  return path;
}

function train(space: string, from: string): void {
  const medley = join(here, "../../packages/medley/bin/medley.js");
  const { status } = spawnSync(process.execPath, [medley, "train", `payments.${space}`, "--from", from], {
    cwd: here,
    stdio: ["ignore", "inherit", "inherit"],
  });
  assert.equal(status, 0, `medley train payments.${space}`);
}

async function load(deployment: Deployment, path: string): Promise<void> {
  const { progress } = await backfill({
    deployment,
    collection: "payments",
    source: await openSource(path),
    path,
  });
  assert.deepEqual([progress.indexed, progress.deadLetters], [stream.length, 0], "every payment is indexed");
}

/** Segments of some spaces end to end, by plain SQL, and what is known of each row. */
async function segments(connectionString: string, spaces: readonly string[], part: string) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const parts = spaces.map((space) => `medley.segment(embedding, 'payments', '${space}')::real[]`);
    const { rows } = await client.query<{ vector: number[]; fraud: boolean }>(
      `select ${parts.join(" || ")} as vector, verdict = 'fraud' as fraud
      from medley.payments where part = $1 order by id`,
      [part],
    );
    const columns = rows[0]?.vector.length ?? 0;
    return {
      vectors: { values: Float32Array.from(rows.flatMap(({ vector }) => vector)), columns },
      fraud: Uint8Array.from(rows, ({ fraud }) => (fraud ? 1 : 0)),
    };
  } finally {
    await client.end();
  }
}

/** Area under the curve of precision over recall: of payments by falling score, how soon the frauds come. */
async function evaluate(connectionString: string, title: string, spaces: readonly string[]): Promise<number> {
  const known = await segments(connectionString, spaces, "known");
  const heldOut = await segments(connectionString, spaces, "held out");
  const model = fitLogisticRegression(known.vectors, known.fraud, { classCount: 2, l2: 1e-5 });
  const { values, columns } = heldOut.vectors;
  const scores = Float64Array.from(heldOut.fraud, (_, row) => {
    return model.probabilities(values.subarray(row * columns, (row + 1) * columns))[1] as number;
  });
  const area = averagePrecision(heldOut.fraud, scores);
  say(`   ${title.padEnd(24)} ${area.toFixed(3)}`);
  return area;
}

async function main(): Promise<void> {
  rmSync(dataDir, { recursive: true, force: true });
  const known = stream.filter((each) => partOf(each) === "known");
  const frauds = stream.filter(({ verdict }) => verdict === "fraud").length;
  say(
    `1. ${stream.length} payments in ${days} days, ${frauds} of them frauds; three encoders learn from the first ${knownDays} days`,
  );
  const from = writeRecords("known.jsonl", known);
  for (const space of ["what", "when", "ring"]) train(space, from);
  say("\n2. Every payment becomes one vector");
  const { collections, lock } = await loadConfig(here);
  const settings = { ...readSettings(process.env), dataDir, postgresPort: 0 };
  await using deployment = await openDeployment({ collections, lock, settings });
  await deployment.runStages(["embed", "index"]);
  await load(deployment, writeRecords("payments.jsonl", stream));
  say(`\n3. Frauds of the last ${days - knownDays} days, area under precision and recall`);
  const { connectionString } = deployment.database;
  const parts: number[] = [];
  for (const [space, title] of [
    ["what", "what was bought"],
    ["amount", "for how much"],
    ["when", "when"],
    ["ring", "by whom, where, on what"],
  ] as const)
    parts.push(await evaluate(connectionString, title, [space]));
  const all = await evaluate(connectionString, "all of it", ["what", "amount", "when", "ring"]);
  assert(all > Math.max(...parts) + 0.05, "the fusion finds what no part does");
}

await main();
