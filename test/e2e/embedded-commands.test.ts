/** What the commands print and end with, above all where something is wrong. */
import { strict as assert } from "node:assert";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { configOf, jsonLines, placesOf, Workplace } from "./medley.fixture.ts";

const packages = join(import.meta.dirname, "../../packages");
let workplace: Workplace;

beforeAll(() => {
  workplace = new Workplace();
});
afterAll(() => workplace[Symbol.asyncDispose]());

test("each command prints one object of the same shape with --json, and nothing else", async () => {
  workplace.write("places.jsonl", jsonLines(placesOf(12)));
  const commands = [
    [["migrate", "--check"], "migrate", 1],
    [["backfill", "places.jsonl"], "backfill", 0],
    [["migrate", "--check"], "migrate", 0],
    [["search", "places", "--price", "3"], "search", 0],
    [["analyze", "places"], "analyze", 0],
    [["status"], "status", 0],
    [["dead-letters", "list"], "dead-letters list", 0],
    [["dead-letters", "show", "1"], "dead-letters show", 1],
    [["dead-letters", "replay"], "dead-letters replay", 0],
    [["doctor"], "doctor", 0],
    [["config"], "config", 0],
    [["--config", "new.config.ts", "init"], "init", 0],
  ] as const;
  for (const [args, command, exitCode] of commands) {
    const envelope = await workplace.runJson(args);
    assert.deepEqual(Object.keys(envelope), [
      "schemaVersion",
      "command",
      "status",
      "exitCode",
      "data",
      "error",
    ]);
    expect([envelope.schemaVersion, envelope.command, envelope.exitCode]).toEqual([1, command, exitCode]);
    expect(envelope.status).toBe(exitCode === 0 ? "ok" : "error");
  }
});

test("the searches of a file: each in its place, more than go at once, and what is wrong with one says its line", async () => {
  const searches = Array.from({ length: 120 }, (_, at) => ({ parts: { price: at }, k: 1 + (at % 3) }));
  const lines = jsonLines(searches).split("\n");
  lines[50] = '{"parts": {"prise": 3}}';
  lines[110] = "not JSON";
  workplace.write("searches.jsonl", lines.join("\n"));
  const { exitCode, data } = await workplace.runJson(["searches", "places", "searches.jsonl"]);
  expect(exitCode).toBe(1);
  const { results } = data as {
    results: readonly { source: string; hits?: readonly { id: string }[]; error?: { code: string } }[];
  };
  expect(results.map(({ source }) => source)).toEqual(
    lines.slice(0, 120).map((_, at) => `searches.jsonl:${at + 1}`),
  );
  expect([results[50]?.error?.code, results[110]?.error?.code]).toEqual(["query_invalid", "body_malformed"]);
  expect(results.filter(({ error }) => error !== undefined).length).toBe(2);
  const alone = await workplace.runJson(["search", "places", "--price", "7", "-k", "2"]);
  expect(results[7]).toMatchObject({ hits: (alone.data as { hits: object[] }).hits });
  workplace.write("one.jsonl", jsonLines([{ parts: { price: 7 }, k: 2 }]));
  const { code, stdout } = await workplace.run(["searches", "places", "one.jsonl"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^one\.jsonl:1\n# {2}id/);
  workplace.write("searches.csv", "parts\n3\n");
  expect((await workplace.runJson(["searches", "places", "searches.csv"])).error?.code).toBe("usage");
  workplace.write("many.jsonl", "{}\n".repeat(10_001));
  expect((await workplace.runJson(["searches", "places", "many.jsonl"])).error?.mend).toBe("split the file");
});

test("Ctrl-C ends the searches of a file with the answers of the batches that were done", async () => {
  const asked = 10_000;
  const searches = Array.from({ length: asked }, (_, n) => ({ parts: { title: `a bar of number ${n}` } }));
  workplace.write("long.jsonl", jsonLines(searches));
  const interrupted = workplace.start(["--json", "searches", "places", "long.jsonl"]);
  await interrupted.said(/places searches/);
  interrupted.kill("SIGINT");
  const { code, stdout } = await interrupted.ended;
  expect(code).toBe(130);
  const { results } = JSON.parse(stdout).data;
  expect(results.length).toBeGreaterThan(0);
  expect(results.length).toBeLessThan(asked);
  expect(results.every(({ hits }: { hits?: unknown[] }) => hits?.length === 10)).toBe(true);
});

test("for people: results on stdout, the run on stderr, no escape sequences where there is no terminal", async () => {
  const { code, stdout, stderr } = await workplace.run(["backfill", "places.jsonl"]);
  expect(code).toBe(0);
  expect(stdout).toContain("places: 12 indexed");
  expect(stdout).toContain("0 encoded (0 by a model)");
  expect(stderr).toMatch(/^run \S+: places\.jsonl into places$/m);
  expect(`${stdout}${stderr}`).not.toContain("\u001b");
});

test("what `medley init` writes is valid; it does not write over a file", async () => {
  await using fresh = new Workplace();
  rmSync(fresh.path("medley.config.json"));
  mkdirSync(fresh.path("node_modules"));
  symlinkSync(join(packages, "medley"), fresh.path("node_modules/medley"));
  const none = await fresh.runJson(["config"]);
  expect([none.exitCode, none.error?.code]).toEqual([2, "config_not_found"]);
  expect((await fresh.runJson(["init"])).exitCode).toBe(0);
  expect((await fresh.runJson(["config"])).data.collections).toMatchObject([{ name: "products" }]);
  const again = await fresh.runJson(["init"]);
  expect([again.exitCode, again.error?.code]).toEqual([2, "usage"]);
});

test.for([
  ["no JSON", "{", "medley.config.json"],
  ["empty", JSON.stringify({ collections: {} }), "collection"],
  ["an unknown encoder", JSON.stringify(configOf({}, { encoder: "txt" })), "txt"],
  ["an unknown field", JSON.stringify(configOf({}, { field: "titel" })), "titel"],
] as const)("a configuration at fault: %s", async ([, text, named]) => {
  await using wrong = new Workplace();
  wrong.write("medley.config.json", text);
  const { exitCode, error } = await wrong.runJson(["status"]);
  expect([exitCode, error?.code]).toEqual([2, "config_invalid"]);
  expect(`${error?.message} ${error?.mend}`).toContain(named);
});

test.for([
  [["frobnicate"], "unknown command"],
  [["status", "--colour"], "--colour"],
  [["search", "places", "--weight", "price"], "[usage]"],
  [["search", "places", "--plot", "x"], "[usage]"],
  [["search", "nowhere", "--price", "1"], "[collection_unknown]"],
  [["search", "places", "--price", "soon"], "[query_invalid]"],
  [["backfill"], "[usage]"],
  [["dead-letters", "replay", "--record", "{}"], "[usage]"],
  [["dead-letters", "replay", "1", "--code", "record_invalid"], "[usage]"],
  [["dead-letters", "replay", "--rate", "0"], "--rate"],
  [["dead-letters", "list", "--where", "{code: 1}"], "is not JSON"],
  [["dead-letters", "list", "--where", '{"cod": "record_invalid"}'], 'did you mean "code"'],
  [["dead-letters", "replay", "--where", '{"createdAt": {"gte": "soon"}}'], "createdAt.gte must be a time"],
] as const)("used wrongly ends with 2 and says so on stderr: %s", async ([args, said]) => {
  const { code, stdout, stderr } = await workplace.run(args);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(said);
});

test("a data folder of a newer Medley, or one that can't be made, is refused", async () => {
  await using other = new Workplace();
  mkdirSync(other.path("newer"));
  writeFileSync(other.path("newer/format"), "999\n");
  const newer = await other.runJson(["--data-dir", "newer", "status"]);
  expect([newer.exitCode, newer.error?.code]).toEqual([1, "data_too_new"]);
  other.write("file", "");
  const below = await other.runJson(["--data-dir", "file/data", "status"]);
  expect([below.exitCode, below.error?.code]).toEqual([1, "data_not_writable"]);
});

test("the port of Postgres is taken", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resume) => server.once("listening", resume));
  const { port } = server.address() as { port: number };
  await using other = new Workplace();
  const taken = await other.runJson(["up"], { environment: { MEDLEY_POSTGRES_PORT: String(port) } });
  server.close();
  expect([taken.exitCode, taken.error?.code]).toEqual([1, "port_taken"]);
  expect(taken.error?.message).toContain(String(port));
});

test("a model file with one flipped bit is refused by each command that needs it; doctor names it", async () => {
  await using other = new Workplace();
  cpSync(dirname(join(packages, "model-all-minilm-l6-v2/package.json")), other.path("model"), {
    recursive: true,
  });
  const file = other.path("model/onnx/model.onnx");
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  writeFileSync(file, bytes);
  other.write("medley.config.json", JSON.stringify(configOf({}, { model: other.path("model") })));
  const search = await other.runJson(["search", "places", "--title", "x"]);
  expect([search.exitCode, search.error?.code]).toEqual([1, "model_damaged"]);
  const doctor = await other.runJson(["doctor"]);
  expect(doctor.exitCode).toBe(1);
  expect(doctor.data).toContainEqual({
    name: "models",
    ok: false,
    detail: expect.stringContaining("model.onnx"),
  });
  expect(doctor.data).toContainEqual({
    name: "database",
    ok: true,
    detail: expect.stringContaining("pgvector"),
  });
});

test("two backfills on one data folder at once: both end well, all rows are there", async () => {
  await using shared = new Workplace();
  shared.write("a.jsonl", jsonLines(placesOf(150)));
  shared.write("b.jsonl", jsonLines(placesOf(300).slice(150)));
  const codes = await Promise.all(
    ["a.jsonl", "b.jsonl"].map(async (name) => (await shared.run(["backfill", name])).code),
  );
  expect(codes.filter((code) => code !== 0 && code !== 1 && code !== 130)).toEqual([]);
  for (const [at, code] of codes.entries()) {
    if (code !== 0)
      expect((await shared.run(["backfill", ["a.jsonl", "b.jsonl"][at] as string])).code).toBe(0);
  }
  const status = await shared.runJson(["status"]);
  expect(status.data.collections).toMatchObject([{ rowsLive: 300 }]);
});
