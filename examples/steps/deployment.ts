import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { backfill, type Deployment, loadConfig, openDeployment, openSource, readSettings } from "medley";

// The steps that the examples with trained spaces have in common. `folder` is the one of the example's configuration; all that an
// example writes of its own is in `.medley` there.

const command = fileURLToPath(new URL("../../packages/medley/bin/medley.js", import.meta.url));

/** As lines of JSON, in the example's `.medley`. The path. */
export function writeRecords(folder: string, name: string, records: readonly object[]): string {
  const dataDir = join(folder, ".medley");
  const path = join(dataDir, name);
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(path, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  return path;
}

/** `medley train`, as anyone would type it. Asserts that it went well. */
export function trainSpace(
  folder: string,
  space: string,
  { from, settings = {} }: { from: string; settings?: Readonly<Record<string, number | string>> },
): void {
  const set = Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  runMedley(folder, ["train", space, "--from", from, ...set]);
}

/** `medley assign --plan`, as anyone would type it: measures a collection's candidates, prints the report, and changes nothing. */
export function planAssignment(folder: string, collection: string, { from }: { from: string }): void {
  runMedley(folder, ["assign", collection, "--from", from, "--plan"]);
}

function runMedley(folder: string, args: readonly string[]): void {
  const { status } = spawnSync(process.execPath, [command, ...args], {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit"],
  });
  assert.equal(status, 0, `medley ${args.join(" ")}`);
}

/** The example's deployment, embedded, with the stages that encode and index. The caller closes it. */
export async function openExample(folder: string): Promise<Deployment> {
  const { collections, lock } = await loadConfig(folder);
  const settings = { ...readSettings(process.env), dataDir: join(folder, ".medley"), postgresPort: 0 };
  const deployment = await openDeployment({ collections, lock, settings });
  try {
    await deployment.runStages(["embed", "index"]);
  } catch (error) {
    await deployment[Symbol.asyncDispose]();
    throw error;
  }
  return deployment;
}

/** Asserts that each of the file's `count` records was indexed. */
export async function loadRecords(
  deployment: Deployment,
  { collection, path, count }: { collection: string; path: string; count: number },
): Promise<void> {
  const source = await openSource(path);
  const { progress } = await backfill({ deployment, collection, source, path });
  assert.deepEqual([progress.indexed, progress.deadLetters], [count, 0], "every record is indexed");
}
