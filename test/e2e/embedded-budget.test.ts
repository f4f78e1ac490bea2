import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonLines, Workplace } from "./medley.fixture.ts";

const tags = Array.from({ length: 24 }, (_, at) => `tag ${at}`);

/** `wide` has 32 dimensions, of which 6 say something; a third of `tags` always come together. */
const points = Array.from({ length: 160 }, (_, n) => {
  const free = Array.from({ length: 6 }, (_, at) => Math.sin(1 + n * (at + 1.3)));
  return {
    id: `p${n}`,
    wide: Array.from({ length: 32 }, (_, d) => (free[d % 6] as number) * (1 + Math.floor(d / 6))),
    tags: tags.filter((_, at) => (at < 8 ? n % 2 === 0 : (n * 7 + at * at) % 11 < 2)),
    height: n % 10,
  };
});

const config = {
  collections: {
    points: {
      fields: { wide: "vector(32)", tags: "categories", height: "number" },
      spaces: {
        wide: { encoder: "vector", field: "wide" },
        tags: { encoder: "category", field: "tags", values: tags },
        height: { encoder: "number", field: "height", range: [0, 10] },
      },
    },
  },
};

let workplace: Workplace;

beforeAll(() => {
  workplace = new Workplace(config);
  workplace.write("points.jsonl", jsonLines(points));
});
afterAll(() => workplace[Symbol.asyncDispose]());

const lock = async () => JSON.parse(await readFile(workplace.path("medley.lock.json"), "utf8"));
const assign = (...args: string[]) =>
  workplace.runJson(["assign", "points", "--from", "points.jsonl", ...args]);

interface Shared {
  readonly folder: string;
  readonly split: { spaces: { space: string; to: number; by: string | null }[]; to: number };
}

test("a plan shares the budget, writes a report and no lock, and what it encoded is not encoded again", async () => {
  const { data, exitCode } = await assign("--budget", "34", "--plan");
  expect({ exitCode, data }).toMatchObject({
    exitCode: 0,
    data: {
      budget: 34,
      isWritten: false,
      plan: { current: null, changes: true },
      split: { from: 58, to: 34 },
    },
  });
  await expect(lock()).rejects.toMatchObject({ code: "ENOENT" });
  const { folder } = data as Shared;
  const page = await readFile(join(folder, "dimensions.html"), "utf8");
  expect(page).toContain("<svg");
  expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
  const vectors = (await stat(join(folder, "candidates"))).mtimeMs;
  const again = await assign("--budget", "30", "--plan");
  expect((again.data as Shared).folder).toBe(folder);
  expect((await stat(join(folder, "candidates"))).mtimeMs).toBe(vectors);
});

test("the first split is written with its evidence, and fitted on all records", async () => {
  const { data, exitCode } = await assign("--budget", "34");
  expect({ exitCode, data }).toMatchObject({ exitCode: 0, data: { isWritten: true } });
  const { spaces } = (data as Shared).split;
  const reduced = spaces.filter(({ by }) => by !== null);
  expect(reduced.map(({ space }) => space)).toContain("wide");
  const { assigned, trained } = await lock();
  expect(assigned.dimensions.points).toMatchObject({
    spaces: Object.fromEntries(reduced.map(({ space, to, by }) => [space, { to, by }])),
    evidence: { budget: 34, from: 58, to: 34, seed: 1, data: { count: 160 } },
  });
  expect(Object.keys(trained)).toEqual(reduced.map(({ space }) => `points.${space}`).toSorted());
});

test("it serves, and is measured on the collection's own records", async () => {
  const loaded = await workplace.runJson(["backfill", "points.jsonl", "-c", "points"]);
  expect(loaded).toMatchObject({ exitCode: 0, data: { indexed: 160 } });
  const found = await workplace.runJson(["search", "points", "-k", "1", "--like", "p9"]);
  expect(found.data).toMatchObject({ hits: [{ id: "p9" }] });
  const planned = await workplace.runJson(["assign", "points", "--budget", "34", "--plan"]);
  expect(planned.data).toMatchObject({ isWritten: false, records: { read: 160 } });
});

test("another budget is a plan, which --apply writes; stored rows are not re-interpreted", async () => {
  const before = await lock();
  const { data } = await assign("--budget", "26");
  expect(data).toMatchObject({ isWritten: false, plan: { changes: true } });
  expect(await lock()).toEqual(before);
  expect((await assign("--budget", "26", "--apply")).data).toMatchObject({ isWritten: true });
  expect((await lock()).assigned.dimensions.points.evidence.to).toBe(26);
  const { error } = await workplace.runJson(["status"]);
  expect(error).toMatchObject({ code: "schema_conflict", mend: expect.any(String) });
});

test("an assignment that was cut off before it had trained is made whole by giving it again", async () => {
  const whole = await lock();
  const { trained } = whole;
  expect((await assign("--budget", "30", "--apply")).exitCode).toBe(0);
  const cutOff = { ...(await lock()), trained };
  await writeFile(workplace.path("medley.lock.json"), JSON.stringify(cutOff));
  expect((await assign("--budget", "30", "--apply")).exitCode).toBe(0);
  const changed = Object.keys(trained).filter(
    (place) =>
      cutOff.assigned.dimensions.points.spaces[place.slice(7)]?.to !==
      whole.assigned.dimensions.points.spaces[place.slice(7)]?.to,
  );
  expect(changed.length).toBeGreaterThan(0);
  const now = (await lock()).trained;
  for (const place of changed) expect(now[place].run, place).not.toBe(trained[place].run);
});

test("a budget that leaves nothing to save, or that is too small, is refused with what there is", async () => {
  const { error: needless } = await assign("--budget", "58");
  expect(needless).toMatchObject({ code: "usage", mend: "give a budget below 58" });
  const { error: small } = await assign("--budget", "17");
  expect(small).toMatchObject({ code: "usage", mend: expect.stringContaining("at least 18") });
});
