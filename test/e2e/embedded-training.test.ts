import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonLines, Workplace } from "./medley.fixture.ts";

const topics = ["plasma heated in a strong magnetic field", "random walks on large social networks"];

/** Two circles of papers that cite the next ones of their own circle. */
const papers = Array.from({ length: 40 }, (_, n) => ({
  id: `p${n}`,
  abstract: `${topics[n % 2]}, part ${n % 5}`,
  cites: Object.fromEntries([1, 2, 3].map((step) => [`p${(n + 2 * step) % 40}`, 1])),
  year: 1990 + n,
  notes: "no field of the collection",
}));

const config = {
  collections: {
    papers: {
      unknownKeys: "ignore",
      fields: { abstract: "text", cites: "edges", year: "number", read: "timestamp" },
      spaces: {
        words: { encoder: "words", field: "abstract", dimensions: 4 },
        walks: { encoder: "node2vec", field: "cites", dimensions: 8 },
        year: { encoder: "number", field: "year", range: [1990, 2030] },
      },
    },
  },
};

let workplace: Workplace;
const ofRun: Record<string, string> = {};

beforeAll(async () => {
  workplace = new Workplace(config);
  workplace.write("papers.jsonl", jsonLines(papers));
});
afterAll(() => workplace[Symbol.asyncDispose]());

const circle = (hits: { id: string }[]) => new Set(hits.map(({ id }) => Number(id.slice(1)) % 2));

test("a collection whose space is untrained is refused with the command that trains it", async () => {
  const { error } = await workplace.runJson(["backfill", "papers.jsonl"]);
  expect(error).toMatchObject({
    code: "model_not_found",
    mend: expect.stringContaining("medley train papers.words"),
  });
});

test("what can't be done is refused before anything is trained", async () => {
  const setting = await workplace.runJson(["train", "papers.walks", "--set", "window=0"]);
  expect(setting.error).toMatchObject({ code: "usage", message: expect.stringContaining("from 1 to 100") });
  const resume = ["--from", "papers.jsonl", "--resume", "2026-01-01-00000000"];
  const resumed = await workplace.runJson(["train", "papers.words", ...resume]);
  expect(resumed.error).toMatchObject({
    code: "usage",
    message: expect.stringContaining("can't be resumed"),
  });
  expect(await readdir(workplace.folder)).not.toContain("medley.lock.json");
});

test("train from a file, backfill, and a search finds neighbours by words and by walks", async () => {
  for (const space of ["papers.words", "papers.walks"]) {
    const { data, exitCode } = await workplace.runJson([
      "train",
      space,
      "--from",
      "papers.jsonl",
      "--seed",
      "3",
    ]);
    expect({ exitCode, data }).toMatchObject({
      exitCode: 0,
      data: { space, state: "done", records: 40, replaced: null },
    });
    const { run, artefact, servedDifference } = data as {
      run: string;
      artefact: string;
      servedDifference: number;
    };
    expect(servedDifference).toBeLessThanOrEqual(1e-5);
    expect(await readdir(workplace.path(artefact))).toEqual(
      expect.arrayContaining(["README.md", "manifest.json", "model.onnx"]),
    );
    ofRun[space] = run;
  }
  const loaded = await workplace.runJson(["backfill", "papers.jsonl"]);
  expect(loaded).toMatchObject({ exitCode: 0, data: { indexed: 40 } });
  const search = async (...args: string[]) => {
    const { data } = await workplace.runJson(["search", "papers", "-k", "10", ...args]);
    return (data as { hits: { id: string; score: number }[] }).hits;
  };
  const byWords = await search("--words", "magnetic fields and plasma");
  expect(byWords).toHaveLength(10);
  expect(circle(byWords)).toEqual(new Set([0]));
  const byNode = await search("--walks", "p1");
  expect(byNode[0]).toMatchObject({ id: "p1", score: expect.closeTo(1, 2) });
  expect(circle(byNode)).toEqual(new Set([1]));
  // A paper that was not trained on is found where those are that it cites.
  expect(circle(await search("--walks", '{"edges": {"p8": 1, "p10": 2, "nowhere": 5}}'))).toEqual(
    new Set([0]),
  );
});

test("a training that is ended by Ctrl-C keeps what it has so far, and says so", async () => {
  const before = await readFile(workplace.path("medley.lock.json"), "utf8");
  const long = ["--set", "walksPerNode=1000", "--set", "walkLength=1000", "--set", "window=100"];
  const training = workplace.start(["--json", "train", "papers.walks", "--from", "papers.jsonl", ...long]);
  await training.said(/papers\.walks {2}walks {2}loss/);
  training.kill("SIGINT");
  const { code, stdout, stderr } = await training.ended;
  expect({ code, stderr }).toMatchObject({ code: 130 });
  const { data, status } = JSON.parse(stdout);
  expect({ data, status }).toMatchObject({
    status: "interrupted",
    data: { state: "interrupted", replaced: ofRun["papers.walks"] },
  });
  expect(await workplace.runJson(["models", "verify", "papers.walks"])).toMatchObject({ exitCode: 0 });
  workplace.write("medley.lock.json", before);
});

test("trained anew on the collection itself, the rows' artefact is another: said, refused, and gone back to", async () => {
  const first = ofRun["papers.words"] as string;
  const again = await workplace.run(["train", "papers.words", "--set", "termTextsMin=9"]);
  expect(again.stdout + again.stderr).toContain("on 40 records");
  expect(again.stdout).toContain(`medley models use papers.words ${first}`);
  const conflict = await workplace.runJson(["search", "papers", "--words", "plasma"]);
  expect(conflict.error).toMatchObject({
    code: "schema_conflict",
    message: expect.stringContaining('of space "words" are of another artefact'),
    mend: expect.stringContaining("medley models use papers.words RUN"),
  });
  const compared = await workplace.runJson(["models", "compare", "papers.words"]);
  expect(compared.data).toMatchObject({
    comparison: { a: first, parameters: expect.arrayContaining([{ name: "settings.termTextsMin", b: 9 }]) },
  });
  const used = await workplace.runJson(["models", "use", "papers.words", first]);
  expect(used).toMatchObject({ exitCode: 0, data: { run: first } });
  expect((await workplace.runJson(["search", "papers", "--words", "plasma"])).exitCode).toBe(0);
});

test("artefacts are listed, verified, and found out where a byte of them changed", async () => {
  const names = (models: { name: string; state?: string; ok?: boolean }[]) =>
    models.filter(({ name }) => name.startsWith("papers.")).map(({ name, state, ok }) => [name, state ?? ok]);
  const listed = await workplace.runJson(["models", "list"]);
  expect(names((listed.data as { models: never }).models)).toEqual([
    ["papers.words", "ok"],
    ["papers.walks", "ok"],
  ]);
  const nodes = workplace.path(join("models", "papers.walks", ofRun["papers.walks"] as string, "nodes.json"));
  await writeFile(nodes, (await readFile(nodes, "utf8")).replace("p1", "q1"));
  const verified = await workplace.runJson(["models", "verify", "papers.walks"]);
  expect(verified).toMatchObject({
    exitCode: 1,
    data: { models: [{ name: "papers.walks", error: { code: "model_damaged" } }] },
  });
});
