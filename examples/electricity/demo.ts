import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { backfill, type Deployment, loadConfig, openDeployment, openSource, readSettings } from "medley";

// Four days of a transformer's readings become one vector, by a model that learned to forecast the fifth from the first year. Then
// every window of the last months asks the windows of that year that it resembles most whether the next day will be cool or warm.
const here = fileURLToPath(new URL(".", import.meta.url));
const dataDir = join(here, ".medley");
const say = (text: string) => process.stdout.write(`${text}\n`);
const hoursPerMonth = 30 * 24;
/** As the papers cut these data: a year to learn from, four months between, four months to ask about. */
const [learnedHours, heldOutFrom, heldOutTo] = [12, 16, 20].map((months) => months * hoursPerMonth) as [
  number,
  number,
  number,
];
const [lookback, hoursAhead, hoursBetween, neighbours] = [96, 24, 6, 15];

interface Window {
  readonly id: string;
  readonly readings: { times: number[]; values: number[][] };
  readonly scaled: readonly number[];
  readonly next: string;
  readonly part: "known" | "held out";
}

const lines = gunzipSync(readFileSync(join(here, "ETTh1.csv.gz")))
  .toString()
  .trim()
  .split("\n")
  .slice(1);
const rows = lines.map((line) => line.split(","));
const times = rows.map(([date]) => Date.parse(`${(date as string).replace(" ", "T")}Z`));
const values = rows.map(([, ...readings]) => readings.map(Number));

const mean = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
const oilAfter = (end: number) =>
  mean(values.slice(end, end + hoursAhead).map((reading) => reading.at(-1) as number));

/** Windows end every six hours, as long as a day comes after them. */
function ends(from: number, to: number): number[] {
  const count = Math.floor((to - hoursAhead - from) / hoursBetween) + 1;
  return Array.from({ length: count }, (_, at) => from + at * hoursBetween);
}

function windows(): Window[] {
  const known = ends(lookback, learnedHours);
  const oil = known.map(oilAfter).sort((a, b) => a - b);
  const [cool, warm] = [1 / 3, 2 / 3].map((share) => oil[Math.floor(share * oil.length)] as number) as [
    number,
    number,
  ];
  const learned = values.slice(0, learnedHours);
  const scales = (learned[0] as number[]).map((_, channel) => {
    const own = learned.map((reading) => reading[channel] as number);
    return { middle: mean(own), deviation: Math.sqrt(mean(own.map((value) => (value - mean(own)) ** 2))) };
  });
  const scale = (value: number, channel: number) =>
    (value - (scales[channel]?.middle as number)) / (scales[channel]?.deviation as number);
  return [...known, ...ends(heldOutFrom, heldOutTo)].map((end) => {
    const after = oilAfter(end);
    const seen = values.slice(end - lookback, end);
    return {
      id: new Date(times[end] as number).toISOString().slice(0, 13),
      readings: { times: times.slice(end - lookback, end), values: seen },
      scaled: seen.flatMap((reading) => reading.map(scale)),
      next: after < cool ? "cool" : after < warm ? "mild" : "warm",
      part: end <= learnedHours ? "known" : "held out",
    };
  });
}

function write(name: string, records: readonly object[]): string {
  const path = join(dataDir, name);
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(path, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  return path;
}

/** The year as one long series: no training sees what is asked about. */
function train(): void {
  const year = {
    id: "year",
    readings: { times: times.slice(0, learnedHours), values: values.slice(0, learnedHours) },
  };
  const medley = join(here, "../../packages/medley/bin/medley.js");
  const from = write("to-train-on.jsonl", [year]);
  const { status } = spawnSync(process.execPath, [medley, "train", "windows.course", "--from", from], {
    cwd: here,
    stdio: ["ignore", "inherit", "inherit"],
  });
  assert.equal(status, 0, "medley train windows.course");
}

/** What most of the nearest known windows were followed by; of as many, what the nearest was. */
async function guess(deployment: Deployment, id: string, weights: Record<string, number>): Promise<string> {
  const hits = await deployment.search("windows", {
    like: id,
    weights,
    filter: { part: "known" },
    k: neighbours,
  });
  const votes = new Map<string, number>();
  for (const { fields } of hits)
    votes.set(fields.next as string, (votes.get(fields.next as string) ?? 0) + 1);
  return [...votes].reduce((best, vote) => (vote[1] > best[1] ? vote : best), ["", 0])[0];
}

async function evaluate(
  deployment: Deployment,
  heldOut: readonly Window[],
  { title, weights }: { title: string; weights: Record<string, number> },
): Promise<number> {
  let right = 0;
  for (const { id, next } of heldOut) if ((await guess(deployment, id, weights)) === next) right += 1;
  say(`   ${title.padEnd(36)} ${(right / heldOut.length).toFixed(3)}`);
  return right / heldOut.length;
}

async function main(): Promise<void> {
  rmSync(dataDir, { recursive: true, force: true });
  process.chdir(here);
  say("1. DLinear learns to forecast a day from four, on the first year");
  train();
  const all = windows();
  const heldOut = all.filter(({ part }) => part === "held out");
  say(`\n2. ${all.length} windows become one vector each`);
  const { collections, lock } = await loadConfig(here);
  const settings = { ...readSettings(process.env), dataDir, postgresPort: 0 };
  await using deployment = await openDeployment({ collections, lock, settings });
  await deployment.runStages(["embed", "index"]);
  const path = write("windows.jsonl", all);
  const source = await openSource(path);
  const { progress } = await backfill({ deployment, collection: "windows", source, path });
  assert.deepEqual([progress.indexed, progress.deadLetters], [all.length, 0], "every window is indexed");
  say(
    `\n3. The next day's oil, cool, mild or warm, of ${heldOut.length} held-out windows by ${neighbours} neighbours`,
  );
  const raw = await evaluate(deployment, heldOut, {
    title: "scaled readings (672 dimensions)",
    weights: { course: 0, raw: 1 },
  });
  const course = await evaluate(deployment, heldOut, {
    title: "DLinear's embedding (64 dimensions)",
    weights: { course: 1, raw: 0 },
  });
  assert(course > raw, "what a model learned tells more than the readings themselves");
}

await main();
