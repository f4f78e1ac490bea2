import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonLines, Workplace } from "./medley.fixture.ts";

const topics = ["plasma heated in a strong magnetic field", "random walks on large social networks"];
const keywords = ["physics", "graphs", "energy", "maths", "code", "walks"];

const papers = Array.from({ length: 48 }, (_, n) => ({
  id: `p${n}`,
  abstract: `${topics[n % 2]}, part ${n % 6} of ${n}`,
  keywords: keywords.filter((_, at) => (n >> (at % 3)) % 2 === at % 2),
}));

const reduced = (by: "pca" | "random" | "cut", to: number) => ({ reduced: { by, to } });
const configOf = (about: object, tags: object) => ({
  collections: {
    papers: {
      fields: { abstract: "text", keywords: "categories" },
      spaces: {
        about: { encoder: "text", field: "abstract", ...about },
        tags: { encoder: "category", field: "keywords", values: keywords, ...tags },
      },
    },
  },
});

let workplace: Workplace;

beforeAll(() => {
  workplace = new Workplace(configOf(reduced("pca", 16), reduced("random", 4)));
  workplace.write("papers.jsonl", jsonLines(papers));
});
afterAll(() => workplace[Symbol.asyncDispose]());

const train = (place: string, ...more: string[]) =>
  workplace.runJson(["train", place, "--from", "papers.jsonl", ...more]);

test("a space whose axes are not there is refused with the command that makes them", async () => {
  const { error } = await workplace.runJson(["backfill", "papers.jsonl"]);
  expect(error).toMatchObject({
    code: "model_not_found",
    mend: expect.stringContaining("medley train papers.about"),
  });
});

test("train, backfill, and a search finds by fewer dimensions what it found by all", async () => {
  for (const place of ["papers.about", "papers.tags"]) {
    const { exitCode, data } = await train(place);
    expect({ exitCode, data }).toMatchObject({ exitCode: 0, data: { state: "done", records: 48 } });
    expect((data as { servedDifference: number }).servedDifference).toBeLessThan(1e-5);
  }
  const loaded = await workplace.runJson(["backfill", "papers.jsonl"]);
  expect(loaded).toMatchObject({ exitCode: 0, data: { indexed: 48 } });
  const { hits } = (await workplace.runJson(["search", "papers", "-k", "20", "--about", "magnetic plasma"]))
    .data as { hits: { id: string }[] };
  expect(new Set(hits.map(({ id }) => Number(id.slice(1)) % 2))).toEqual(new Set([0]));
  const like = await workplace.runJson(["search", "papers", "-k", "1", "--like", "p7"]);
  expect(like.data).toMatchObject({ hits: [{ id: "p7", score: expect.closeTo(2, 2) }] });
  const listed = await workplace.runJson(["models", "verify"]);
  expect(JSON.stringify(listed.data)).toContain("papers.about");
  expect(listed.exitCode).toBe(0);
});

test("with other axes it is another encoder: rows of the old ones are not mixed with them", async () => {
  const before = await readFile(workplace.path("medley.lock.json"), "utf8");
  expect((await train("papers.tags", "--seed", "9")).exitCode).toBe(0);
  const { error } = await workplace.runJson(["status"]);
  expect(error).toMatchObject({
    code: "schema_conflict",
    message: expect.stringContaining('space "tags" are of another artefact'),
  });
  workplace.write("medley.lock.json", before);
  expect((await workplace.runJson(["status"])).exitCode).toBe(0);
});

test("a model that was not trained for it is not cut, and dimensions that are no fewer are refused", async () => {
  const refused = async (about: object, tags: object, args: string[]) => {
    workplace.write("other.config.json", JSON.stringify(configOf(about, tags)));
    return (await workplace.runJson(["--config", "other.config.json", ...args])).error;
  };
  expect(await refused(reduced("cut", 64), {}, ["status"])).toMatchObject({
    code: "model_unsupported",
    mend: expect.stringContaining('reduced.by to "pca"'),
  });
  const more = ["train", "papers.tags", "--from", "papers.jsonl"];
  expect(await refused({}, reduced("pca", 6), more)).toMatchObject({
    code: "config_invalid",
    message: expect.stringContaining("its encoder gives 6"),
  });
});
