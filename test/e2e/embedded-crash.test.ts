/** A backfill that is killed or interrupted, and what `--resume` makes of it. */
import { readFileSync } from "node:fs";
import pg from "pg";
import { expect, test } from "vitest";
import { type Command, jsonLines, placesOf, until, Workplace } from "./medley.fixture.ts";

const count = 1_200;
const badLines = [17, 450, 1_111];

/** Long texts, so that there is time to interrupt; some lines are no records. */
function placesFile(workplace: Workplace): string {
  const records = placesOf(count).map((record) => ({
    ...record,
    title: `${record.title} ${"and more of it ".repeat(25)}`,
  }));
  const lines = jsonLines(records).split("\n");
  for (const at of badLines) lines.splice(at - 1, 0, '{"id": "broken"');
  return workplace.write("places.jsonl", lines.join("\n"));
}

/** Rows that a backfill has written so far, seen by a second client of its embedded Postgres. */
async function rowsAfterStart(workplace: Workplace, atLeast: number): Promise<number> {
  const read = () => {
    try {
      return JSON.parse(readFileSync(workplace.path(".medley/instance.json"), "utf8"));
    } catch {
      return null;
    }
  };
  const { connectionString } = await until(
    async () => read(),
    (instance) => instance !== null,
  );
  const client = new pg.Client({ connectionString });
  client.on("error", () => {});
  await client.connect();
  const counted = async () => {
    const { rows } = await client
      .query("select count(*)::int as n from medley.places")
      .catch(() => ({ rows: [{ n: 0 }] }));
    return rows[0].n as number;
  };
  const rows = await until(counted, (n) => n >= atLeast);
  await client.end().catch(() => {});
  return rows;
}

async function runIdOf(command: Command): Promise<string> {
  return (await command.said(/run (\S+):/))[1] as string;
}

async function expectComplete(workplace: Workplace): Promise<void> {
  const status = await workplace.runJson(["status"]);
  expect(status.data.collections).toMatchObject([{ rowsLive: count, deadLettersOpen: badLines.length }]);
  expect(status.data.runs).toMatchObject([
    {
      state: "done",
      recordsRead: count + badLines.length,
      indexed: count,
      deadLetters: badLines.length,
      superseded: 0,
    },
  ]);
  const one = { lane: "stream", unit: "packets", waiting: 0, inFlight: 0, oldestAgeMs: 0 };
  expect(status.data.backlog).toEqual([
    { ...one, channel: "records" },
    { ...one, channel: "vectors" },
  ]);
  const letters = await workplace.runJson(["dead-letters", "list"]);
  const places = letters.data.map(({ source }: { source: string }) => source).toSorted();
  expect(places).toEqual(badLines.map((line) => `places.jsonl:${line}`).toSorted());
}

test("kill -9 in the middle: --resume ends with every row once, and encodes no row again but those in hand", async () => {
  await using workplace = new Workplace();
  placesFile(workplace);
  const killed = workplace.start(["backfill", "places.jsonl"]);
  const runId = await runIdOf(killed);
  const rowsAtKill = await rowsAfterStart(workplace, 100);
  killed.kill("SIGKILL");
  await killed.ended;
  expect(rowsAtKill).toBeLessThan(count);

  const resumed = await workplace.runJson(["backfill", "--resume", runId]);
  expect(resumed).toMatchObject({
    exitCode: 4,
    status: "dead_letters",
    data: { runId, state: "done", indexed: count, deadLetters: badLines.length },
  });
  const inHandMax = 300;
  expect(resumed.data.segments.encodedByModel).toBeLessThanOrEqual(count - rowsAtKill + inHandMax);
  await expectComplete(workplace);
});

test("Ctrl-C: drained, exit code 130, the command to resume with; another file is refused, the same one completes", async () => {
  await using workplace = new Workplace();
  placesFile(workplace);
  workplace.write("others.jsonl", jsonLines(placesOf(3)));
  const interrupted = workplace.start(["--json", "backfill", "places.jsonl"]);
  const runId = await runIdOf(interrupted);
  await rowsAfterStart(workplace, 1);
  interrupted.kill("SIGINT");
  const { code, stdout } = await interrupted.ended;
  expect(code).toBe(130);
  const resume = `medley backfill --resume ${runId}`;
  expect(JSON.parse(stdout)).toMatchObject({
    status: "interrupted",
    exitCode: 130,
    data: { state: "interrupted", resume },
  });

  const wrong = await workplace.runJson(["backfill", "others.jsonl", "--resume", runId]);
  expect([wrong.exitCode, wrong.error?.code]).toEqual([1, "source_changed"]);
  const unknown = await workplace.runJson(["backfill", "--resume", "no-such-run"]);
  expect(unknown.error).toMatchObject({ code: "not_found", mend: `known: ${runId}` });
  const resumed = await workplace.runJson(resume.split(" ").slice(1));
  expect(resumed).toMatchObject({ exitCode: 4, data: { state: "done", indexed: count } });
  await expectComplete(workplace);
});
