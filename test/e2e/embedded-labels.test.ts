/** A space that is tuned after its collection was filled: what its classifier tells stands in typed columns. */
import { join } from "node:path";
import { openTextClassifier } from "@medley/models";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonLines, post, type Running, until, Workplace } from "./medley.fixture.ts";

const things = {
  food: ["bread", "soup", "cheese", "rice", "honey", "apples", "fish", "cake"],
  tool: ["hammer", "saw", "drill", "wrench", "ladder", "chisel", "pliers", "screw"],
};
const places = ["market", "shed", "kitchen"];

const records = Object.entries(things).flatMap(([about, words]) =>
  words.flatMap((word) =>
    places.map((place) => ({ id: `${word}-${place}`, text: `${word} from the ${place}`, about })),
  ),
);
const wordless = { id: "wordless", about: "tool" };

const configOf = (meaning: object) => ({
  collections: {
    things: {
      fields: { text: "text", about: "category" },
      spaces: { meaning: { encoder: "text", field: "text", ...meaning } },
    },
  },
});

let workplace: Workplace;
let first: string;

beforeAll(async () => {
  workplace = new Workplace(configOf({}));
  workplace.write("things.jsonl", jsonLines([...records, wordless]));
  expect((await workplace.runJson(["backfill", "things.jsonl"])).data).toMatchObject({ indexed: 49 });
});
afterAll(() => workplace[Symbol.asyncDispose]());

/** Trains on the collection; gives the run, and what was said of it. */
async function train(...args: string[]): Promise<{ run: string; said: string }> {
  const { code, stdout, stderr } = await workplace.run(["train", "things.meaning", ...args]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const [, run] = /run (\S+) done/.exec(stdout) ?? [];
  return { run: run as string, said: stdout };
}

interface Row {
  readonly id: string;
  readonly text: string | null;
  readonly meaning_label: string | null;
  readonly meaning_probability: number | null;
}

/** Through `medley up`, while `during` runs. */
async function rowsWhile(during: (up: Running) => Promise<unknown>): Promise<readonly Row[]> {
  const up = await workplace.up();
  const sql = new pg.Client({ connectionString: up.connectionString });
  await sql.connect();
  try {
    await during(up);
    return (await sql.query<Row>("select id, text, meaning_label, meaning_probability from medley.things"))
      .rows;
  } finally {
    await sql.end();
    up.command.kill("SIGTERM");
    await up.command.ended;
  }
}

/** Each row's columns are what the artefact of the run says of its text, to 1e-5. */
async function expectTold(rows: readonly Row[], run: string): Promise<void> {
  const model = workplace.path(join("models", "things.meaning", run));
  await using classifier = await openTextClassifier({ model, environment: {}, threads: 1 });
  const worded = rows.filter((row) => row.text !== null);
  const results = await classifier.classify(worded.map(({ text }) => text as string));
  for (const [at, result] of results.entries()) {
    const { id, meaning_label: label, meaning_probability: probability } = worded[at] as Row;
    const said = result.ok ? result.value : null;
    expect([id, label]).toEqual([id, said?.label]);
    expect(Math.abs((probability as number) - (said?.probability as number)), id).toBeLessThan(1e-5);
  }
  const wordlessRows = rows.filter((row) => row.text === null);
  expect(wordlessRows).toEqual([
    { id: "wordless", text: null, meaning_label: null, meaning_probability: null },
  ]);
}

test("trained on the collection and pinned: its rows are of the same segments, and stay", async () => {
  const tuned = configOf({ tuned: { target: "about", blocks: 0 } });
  workplace.write("medley.config.json", JSON.stringify(tuned));
  ({ run: first } = await train("--seed", "5"));
});

test("read again: every row has its label, and no text is encoded anew; a new text has its own", async () => {
  const again = await workplace.runJson(["backfill", "things.jsonl"]);
  expect(again).toMatchObject({
    exitCode: 0,
    data: { indexed: 49, segments: { encodedByModel: 0, reused: 48 } },
  });
  const fresh = { id: "spanner", text: "a spanner in the works" };
  const told = await rowsWhile(async ({ httpUrl }) => {
    const accepted = await post(`${httpUrl}/v1/collections/things/records`, [fresh]);
    expect(accepted).toMatchObject({ status: 202, body: { accepted: 1 } });
    const url = `${httpUrl}/v1/collections/things/search`;
    const filter = { meaning_label: "tool", meaning_probability: { gte: 0.5 }, id: fresh.id };
    const { hits } = (
      await until(
        () => post(url, { parts: { meaning: "spanner" }, filter }),
        ({ body }) => body.hits?.length === 1,
      )
    ).body;
    expect(hits[0].fields).toMatchObject({ ...{ text: fresh.text, about: null }, meaning_label: "tool" });
    const found = await workplace.run([
      "search",
      "things",
      "--meaning",
      "soup",
      "--filter",
      '{"meaning_label": "food"}',
    ]);
    expect(found.stdout).toMatch(/# +id +text +meaning_label +meaning_probability +score/);
    expect(found.stdout).toMatch(/soup-kitchen +soup from the kitchen +food +0\.\d{3} /);
  });
  expect(told).toHaveLength(50);
  expect(new Set(told.map((row) => row.meaning_label))).toEqual(new Set(["food", "tool", null]));
  await expectTold(told, first);
});

test("trained again, only the classifier is another: rows stay, and what becomes of their labels is said", async () => {
  const { run, said } = await train("--seed", "6");
  expect(run).not.toBe(first);
  expect(said).toContain(`keep the labels of run ${first}`);
  const again = await workplace.runJson(["backfill", "things.jsonl"]);
  expect(again).toMatchObject({
    exitCode: 0,
    data: { indexed: 49, segments: { encodedByModel: 0, reused: 48 } },
  });
});
