import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openExample, trainSpace, writeRecords } from "@medley/example-steps";
import { labelledFilms } from "./films.ts";

// Should the plot be read by a pre-trained model or by words learned from these films, and the cast as names or as a graph? `medley assign`
// measures it by what the nearest films tell of a film's genre and decade, and its choice is what serves.
const here = fileURLToPath(new URL(".", import.meta.url));
const command = fileURLToPath(new URL("../../../packages/medley/bin/medley.js", import.meta.url));

/** `medley assign`, as anyone would type it. */
function assign(from: string): void {
  const { status } = spawnSync(process.execPath, [command, "assign", "films", "--from", from], {
    cwd: here,
    stdio: ["ignore", "inherit", "inherit"],
  });
  assert.equal(status, 0, "medley assign films");
}

async function main(): Promise<void> {
  for (const name of [".medley", "medley.lock.json"])
    rmSync(`${here}${name}`, { recursive: true, force: true });
  const records = labelledFilms();
  process.stdout.write(`1. What ${records.length} films are best told apart by\n`);
  const from = writeRecords(here, "films.jsonl", records);
  assign(from);
  // There was nothing to choose for the title, so it is trained as any space is.
  trainSpace(here, "films.title", { from });
  await using deployment = await openExample(here);
  const layout = deployment
    .collection("films")
    .layout.map(({ space, dimensions }) => `${space} ${dimensions}`);
  process.stdout.write(`\n2. What serves from now on: ${layout.join(", ")} dimensions\n`);
}

await main();
