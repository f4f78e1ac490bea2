/** Files into a collection, in one process with the public API; commands attach to it. */
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import {
  type BackfillResult,
  backfill,
  type Deployment,
  loadConfig,
  openDeployment,
  openSource,
  readSettings,
} from "medley";
import { afterAll, beforeAll, expect, test } from "vitest";
import { configOf, fields, jsonLines, placeOf, placesOf, until, Workplace } from "./medley.fixture.ts";

const formats = ["csv", "jsonl", "json", "parquet", "gz", "stdin"] as const;
let workplace: Workplace;
let deployment: Deployment;

beforeAll(async () => {
  const { places } = (configOf() as { collections: { places: object } }).collections;
  const names = [...formats, "again", "letters"];
  const collections = {
    ...Object.fromEntries(names.map((name) => [name, places])),
    dated: { ...places, version: "lsn" },
  };
  workplace = new Workplace({ collections });
  const config = await loadConfig(workplace.folder);
  const environment = { MEDLEY_DATA_DIR: workplace.path(".medley"), MEDLEY_POSTGRES_PORT: "0" };
  deployment = await openDeployment({ collections: config.collections, settings: readSettings(environment) });
  await deployment.runStages(["embed", "index"]);
});

afterAll(async () => {
  await deployment?.close();
  await workplace[Symbol.asyncDispose]();
});

async function fill(collection: string, name: string, content: string | Uint8Array): Promise<BackfillResult> {
  const path = workplace.write(name, content);
  return backfill({
    deployment,
    collection,
    source: await openSource(path),
    path,
  });
}

async function rowsOf(collection: string): Promise<Record<string, unknown>[]> {
  const columns = ["id", ...Object.keys(fields).map((name) => `"${name}"::text`), "embedding::text"];
  return (await deployment.pool.query(`select ${columns} from medley.${collection} order by id`)).rows;
}

function csvOf(records: readonly Record<string, unknown>[]): string {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const cell = (value: unknown) => {
    if (typeof value === "string" || typeof value === "number") return quoted(String(value));
    return quoted(JSON.stringify(value));
  };
  const keys = ["id", ...Object.keys(fields)];
  return [keys.join(","), ...records.map((record) => keys.map((key) => cell(record[key])).join(","))].join(
    "\n",
  );
}

function parquetOf(records: readonly Record<string, unknown>[]): Uint8Array {
  const types = { price: "DOUBLE", kinds: "JSON", place: "JSON", taste: "JSON" } as Record<
    string,
    "DOUBLE" | "JSON"
  >;
  const columnData = ["id", ...Object.keys(fields)].map((name) => ({
    name,
    data: records.map((record) => record[name]),
    type: types[name] ?? ("STRING" as const),
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

test("CSV, JSONL, JSON, Parquet, gzip and stdin give the same rows", async () => {
  const records = placesOf(20);
  const lines = jsonLines(records);
  const files = {
    csv: ["a.csv", csvOf(records)],
    jsonl: ["a.jsonl", lines],
    json: ["a.json", JSON.stringify(records)],
    parquet: ["a.parquet", parquetOf(records)],
    gz: ["b.csv.gz", gzipSync(csvOf(records))],
  } as const;
  for (const [collection, [name, content]] of Object.entries(files)) {
    const { state, progress } = await fill(collection, name, content);
    expect([collection, state, progress.indexed, progress.deadLetters]).toEqual([collection, "done", 20, 0]);
  }
  const piped = await workplace.runJson(["backfill", "-", "--format", "jsonl", "-c", "stdin"], {
    stdin: lines,
  });
  expect(piped).toMatchObject({ exitCode: 0, data: { state: "done", indexed: 20 } });
  const expected = await rowsOf("csv");
  expect(expected).toHaveLength(20);
  for (const collection of formats)
    expect([collection, await rowsOf(collection)]).toEqual([collection, expected]);
});

test("read again unchanged: no model call, same vectors; one field changed: one segment is encoded", async () => {
  const { segments } = deployment.counters;
  await fill("again", "c.jsonl", jsonLines(placesOf(150)));
  const rows = await rowsOf("again");
  const calls = deployment.runtime.counters.modelCalls;
  const { encoded, reused } = segments;
  expect((await fill("again", "c.jsonl", jsonLines(placesOf(150)))).progress.indexed).toBe(150);
  expect([deployment.runtime.counters.modelCalls, segments.encoded]).toEqual([calls, encoded]);
  expect(segments.reused).toBe(reused + 150 * Object.keys(fields).length);
  expect(await rowsOf("again")).toEqual(rows);

  const changed = placesOf(150).map((record) =>
    record.id === "p77" ? { ...record, title: "quite another" } : record,
  );
  await fill("again", "c.jsonl", jsonLines(changed));
  expect([deployment.runtime.counters.modelCalls, segments.encoded]).toEqual([calls + 1, encoded + 1]);
  const differing = (await rowsOf("again")).filter((row, at) => row.embedding !== rows[at]?.embedding);
  expect(differing.map(({ id }) => id)).toEqual(["p77"]);
});

test("the user's versions out of order: newest wins; an older upsert does not bring back what was deleted", async () => {
  const at = (lsn: number, rest: object = {}) => ({ ...placeOf(1), lsn, title: `title at ${lsn}`, ...rest });
  const titles = async () => (await rowsOf("dated")).map(({ title }) => title);
  await fill("dated", "d1.jsonl", jsonLines([at(5), at(9), at(7)]));
  expect(await titles()).toEqual(["title at 9"]);
  expect((await fill("dated", "d2.jsonl", jsonLines([at(8)]))).progress).toMatchObject({
    indexed: 0,
    superseded: 1,
  });
  expect(await titles()).toEqual(["title at 9"]);
  const deleted = await fill("dated", "d3.jsonl", jsonLines([{ id: "p1", lsn: 20, _op: "delete" }]));
  expect(deleted.progress.tombstoned).toBe(1);
  expect((await fill("dated", "d4.jsonl", jsonLines([at(19)]))).progress).toMatchObject({
    superseded: 1,
    indexed: 0,
  });
  expect(await titles()).toEqual([]);
  await fill("dated", "d5.jsonl", jsonLines([at(21)]));
  expect(await titles()).toEqual(["title at 21"]);
});

test("bad lines are dead letters named by file and line; shown, mended and replayed", async () => {
  const lines = csvOf(placesOf(6)).split("\n");
  lines[2] = (lines[2] as string).replace('"1"', '"cheap"');
  lines[4] = `${lines[4]},"one too many"`;
  workplace.write("e.csv", lines.join("\n"));
  const filled = await workplace.runJson(["backfill", "e.csv", "-c", "letters"]);
  expect(filled).toMatchObject({ exitCode: 4, status: "dead_letters", data: { indexed: 4, deadLetters: 2 } });
  const list = await workplace.runJson(["dead-letters", "list", "-c", "letters"]);
  const found = list.data as {
    deadLetterId: number;
    source: string;
    recordId: string | null;
    reason: string;
  }[];
  const [cheap, long] = found.toSorted((a, b) => a.source.localeCompare(b.source));
  expect(found.map(({ source }) => source).toSorted()).toEqual(["e.csv:3", "e.csv:5"]);
  expect(cheap).toMatchObject({ recordId: "p1", stage: "produce", code: "record_invalid" });
  expect(cheap?.reason).toContain('"price"');
  const shown = await workplace.runJson(["dead-letters", "show", String(cheap?.deadLetterId)]);
  expect(JSON.parse(shown.data.record)).toMatchObject({ id: "p1", price: "cheap" });

  const where = ["--where", '{"source": {"like": "e.csv%"}, "code": {"ne": "record_invalid"}}'];
  expect((await workplace.runJson(["dead-letters", "list", ...where])).data).toMatchObject([
    { source: "e.csv:5", attempt: 1, version: expect.any(String) },
  ]);
  expect(await workplace.runJson(["dead-letters", "replay", "--dry-run", ...where])).toMatchObject({
    exitCode: 0,
    data: { found: 1, replayed: 0, kinds: [{ collection: "letters", code: "body_malformed", count: 1 }] },
  });

  const refused = await workplace.runJson(["dead-letters", "replay", String(cheap?.deadLetterId)]);
  expect(refused).toMatchObject({
    exitCode: 4,
    data: { found: 1, replayed: 0, refused: [{ deadLetterId: cheap?.deadLetterId }] },
  });
  for (const [letter, n] of [
    [cheap, 1],
    [long, 3],
  ] as const) {
    const mended = [
      "dead-letters",
      "replay",
      String(letter?.deadLetterId),
      "--record",
      JSON.stringify(placeOf(n)),
    ];
    expect(await workplace.runJson(mended)).toMatchObject({
      exitCode: 0,
      data: { replayed: 1, refused: [] },
    });
  }
  await until(
    () => rowsOf("letters"),
    (rows) => rows.length === 6,
  );
  expect((await rowsOf("letters")).map(({ id }) => id)).toEqual(["p0", "p1", "p2", "p3", "p4", "p5"]);
  expect((await workplace.runJson(["dead-letters", "list", "-c", "letters"])).data).toEqual([]);
});

test("a file that can't be read, or breaks off, is an error of its own", async () => {
  const missing = await workplace.runJson(["backfill", "nothing.csv", "-c", "csv"]);
  expect([missing.exitCode, missing.error?.code]).toEqual([1, "source_unreadable"]);
  const bytes = gzipSync(csvOf(placesOf(500)));
  workplace.write("half.csv.gz", bytes.subarray(0, bytes.length >> 1));
  const half = await workplace.runJson(["backfill", "half.csv.gz", "-c", "csv"]);
  expect([half.exitCode, half.error?.code]).toEqual([1, "source_unreadable"]);
  workplace.write("folder.txt", "");
  const below = await workplace.runJson(["backfill", "folder.txt/inside.csv", "-c", "csv"]);
  expect([below.exitCode, below.error?.code]).toEqual([1, "source_unreadable"]);
});
