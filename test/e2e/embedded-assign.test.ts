import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonLines, Workplace } from "./medley.fixture.ts";

const topics = ["plasma heated in a strong magnetic field", "random walks on large social networks"];
const shelves = ["north", "south", "west"];

/** Papers whose topic is told by their abstract, and not by the shelf they stand on; or the other way round. */
function papers(toldBy: "abstract" | "shelf"): object[] {
  return Array.from({ length: 200 }, (_, n) => {
    const [abstract, shelf] = [(n * 7) % 5 < 2 ? 0 : 1, n % 3];
    const topic = toldBy === "abstract" ? abstract : Number(shelf === 0);
    const text = `${topics[abstract]}, part ${n % 11}, seen ${n} times`;
    return { id: `p${n}`, abstract: text, shelf: shelves[shelf], topic: `topic ${topic}` };
  });
}

const config = {
  collections: {
    papers: {
      fields: { abstract: "text", shelf: "category", topic: "category" },
      spaces: {
        about: {
          candidates: [
            { encoder: "category", field: "shelf", values: shelves },
            { encoder: "words", field: "abstract", dimensions: 4 },
          ],
        },
      },
      tasks: { topic: { kind: "classification", label: "topic" } },
    },
  },
};

let workplace: Workplace;

beforeAll(() => {
  workplace = new Workplace(config);
  workplace.write("papers.jsonl", jsonLines(papers("abstract")));
  workplace.write("moved.jsonl", jsonLines(papers("shelf")));
});
afterAll(() => workplace[Symbol.asyncDispose]());

const lock = async () => JSON.parse(await readFile(workplace.path("medley.lock.json"), "utf8"));

interface Assigned {
  readonly folder: string;
  readonly isWritten: boolean;
  readonly plan: { place: string; current: string; proposed: string | null; changes: boolean }[];
}

test("a plan writes nothing, and what it measured is not measured again", async () => {
  const planned = await workplace.runJson(["assign", "papers", "--from", "papers.jsonl", "--plan"]);
  expect(planned).toMatchObject({ exitCode: 0, data: { isWritten: false, measured: 2 } });
  await expect(lock()).rejects.toMatchObject({ code: "ENOENT" });
  const { folder } = planned.data as Assigned;
  const page = await readFile(join(folder, "report.html"), "utf8");
  expect(page).toContain("<svg");
  expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
  const before = (await stat(join(folder, "medley.lock.json"))).mtimeMs;
  const again = await workplace.runJson(["assign", "papers", "--from", "papers.jsonl", "--plan"]);
  expect((again.data as Assigned).folder).toBe(folder);
  expect((await stat(join(folder, "medley.lock.json"))).mtimeMs).toBe(before);
});

test("the first choice is written with its evidence, and the worker follows it", async () => {
  const { data, exitCode } = await workplace.runJson(["assign", "papers", "--from", "papers.jsonl"]);
  expect({ exitCode, data }).toMatchObject({
    exitCode: 0,
    data: { isWritten: true, plan: [{ proposed: "words of abstract, dimensions 4", changes: true }] },
  });
  expect((await lock()).assigned.spaces["papers.about"]).toMatchObject({
    definition: { encoder: "words", dimensions: 4 },
    evidence: {
      seed: 1,
      data: { count: 200 },
      tasks: { topic: { verdict: "best", test: { isConfirmed: true } } },
    },
  });
  expect(Object.keys((await lock()).trained)).toEqual(["papers.about"]);
  const loaded = await workplace.runJson(["backfill", "papers.jsonl", "-c", "papers"]);
  expect(loaded).toMatchObject({ exitCode: 0, data: { indexed: 200 } });
  const search = ["search", "papers", "-k", "20", "--about", "magnetic fields heat plasma"];
  const { hits } = (await workplace.runJson(search)).data as { hits: { fields: { topic: string } }[] };
  expect(new Set(hits.map(({ fields }) => fields.topic))).toEqual(new Set(["topic 0"]));
});

test("other labels give a plan; --apply writes it, and stored rows are not re-interpreted", async () => {
  const before = await lock();
  const moved = ["assign", "papers", "--from", "moved.jsonl"];
  const { data } = await workplace.runJson(moved);
  expect(data).toMatchObject({
    isWritten: false,
    plan: [{ current: "words of abstract, dimensions 4", proposed: "category of shelf", changes: true }],
  });
  expect(await lock()).toEqual(before);
  expect((await workplace.runJson([...moved, "--apply"])).data).toMatchObject({ isWritten: true });
  expect((await lock()).assigned.spaces["papers.about"].definition.encoder).toBe("category");
  const { error } = await workplace.runJson(["status"]);
  expect(error).toMatchObject({ code: "schema_conflict", mend: expect.any(String) });
});

test("what is trained and leaves no choice is trained with the first assignment; a plan says how", async () => {
  await using other = new Workplace({
    collections: {
      papers: {
        ...config.collections.papers,
        spaces: { gist: { encoder: "words", field: "abstract", dimensions: 4 } },
      },
    },
  });
  other.write("papers.jsonl", jsonLines(papers("abstract")));
  const assign = ["assign", "papers", "--from", "papers.jsonl"];
  const planned = await other.run([...assign, "--plan"]);
  expect(planned.stdout).toContain("papers.gist serves once it is trained: medley train papers.gist");
  const { stdout } = await other.run(assign);
  expect(stdout).toContain("papers.gist: trained on all records");
  const loaded = await other.runJson(["backfill", "papers.jsonl", "-c", "papers"]);
  expect(loaded).toMatchObject({ exitCode: 0, data: { indexed: 200 } });
});

test("what can't be measured is refused with the mend", async () => {
  const both = await workplace.runJson(["assign", "--plan", "--apply"]);
  expect(both.error).toMatchObject({ code: "usage", mend: "give one of them" });
  const unknown = await workplace.runJson(["assign", "paper"]);
  expect(unknown.error).toMatchObject({
    code: "collection_unknown",
    mend: expect.stringContaining("papers"),
  });
});

test("a choice that is no candidate any more is refused, not replaced", async () => {
  const [category, words] = config.collections.papers.spaces.about.candidates;
  const about = { candidates: [{ ...category, unknown: "other" }, words] };
  const changed = { collections: { papers: { ...config.collections.papers, spaces: { about } } } };
  workplace.write("changed.config.json", JSON.stringify(changed));
  const { error } = await workplace.runJson(["--config", "changed.config.json", "config"]);
  expect(error).toMatchObject({
    code: "config_invalid",
    message: expect.stringContaining("none of its candidates"),
  });
});

test("without a file a collection's own records are measured, and trained on too", async () => {
  await using other = new Workplace(config);
  other.write("papers.jsonl", jsonLines(papers("abstract")));
  expect(await other.runJson(["backfill", "papers.jsonl", "-c", "papers"])).toMatchObject({ exitCode: 0 });
  const { data, exitCode } = await other.runJson(["assign", "papers"]);
  expect({ exitCode, data }).toMatchObject({ exitCode: 0, data: { isWritten: true } });
  const { trained } = JSON.parse(await readFile(other.path("medley.lock.json"), "utf8"));
  expect(Object.keys(trained)).toEqual(["papers.about"]);
});
