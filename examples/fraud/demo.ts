import { strict as assert } from "node:assert";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  fuseSegments,
  loadRecords,
  openExample,
  readSegments,
  trainSpace,
  writeRecords,
} from "@medley/example-steps";
import { averagePrecision, fitLogisticRegression } from "@medley/training";
import { type Transaction, transactions } from "./transactions.ts";

// Fraud in a stream of card payments. Three encoders are trained on the first six weeks; then each payment of the last two is
// scored by a regression on its segments: of each space alone, and of all of them fused.
const here = fileURLToPath(new URL(".", import.meta.url));
const say = (text: string) => process.stdout.write(`${text}\n`);
const days = 56;
const knownDays = 42;

const stream = transactions({ seed: 1, count: 16_000, days });
const endOfKnown = (stream[0] as Transaction).at + knownDays * 86_400_000;
const partOf = ({ at }: Transaction) => (at < endOfKnown ? "known" : "held out");

/** Segments of some spaces end to end, and which of the rows are frauds. */
async function labelled(connectionString: string, spaces: readonly string[], part: string) {
  const query = { collection: "payments", spaces, fields: ["verdict"], part };
  const segments = await readSegments(connectionString, query);
  return {
    vectors: fuseSegments(segments, Object.fromEntries(spaces.map((space) => [space, 1]))),
    fraud: Uint8Array.from(segments.rows, ({ verdict }) => (verdict === "fraud" ? 1 : 0)),
  };
}

/** Area under the curve of precision over recall: of payments by falling score, how soon the frauds come. */
async function evaluate(connectionString: string, title: string, spaces: readonly string[]): Promise<number> {
  const known = await labelled(connectionString, spaces, "known");
  const heldOut = await labelled(connectionString, spaces, "held out");
  const { values, dimensions: columns } = heldOut.vectors;
  const rows = { values: known.vectors.values, columns };
  const model = fitLogisticRegression(rows, known.fraud, { classCount: 2, l2: 1e-5 });
  const scores = Float64Array.from(heldOut.fraud, (_, row) => {
    return model.probabilities(values.subarray(row * columns, (row + 1) * columns))[1] as number;
  });
  const area = averagePrecision(heldOut.fraud, scores);
  say(`   ${title.padEnd(24)} ${area.toFixed(3)}`);
  return area;
}

async function main(): Promise<void> {
  rmSync(join(here, ".medley"), { recursive: true, force: true });
  const known = stream.filter((each) => partOf(each) === "known");
  const frauds = stream.filter(({ verdict }) => verdict === "fraud").length;
  say(
    `1. ${stream.length} payments in ${days} days, ${frauds} of them frauds; three encoders learn from the first ${knownDays} days`,
  );
  const withPart = (payment: Transaction) => ({ ...payment, part: partOf(payment) });
  const from = writeRecords(here, "known.jsonl", known.map(withPart));
  for (const space of ["what", "when", "ring"]) trainSpace(here, `payments.${space}`, { from });
  say("\n2. Every payment becomes one vector");
  await using deployment = await openExample(here);
  const path = writeRecords(here, "payments.jsonl", stream.map(withPart));
  await loadRecords(deployment, { collection: "payments", path, count: stream.length });
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
