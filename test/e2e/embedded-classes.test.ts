import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonLines, post, Workplace } from "./medley.fixture.ts";

const values = (of: string) => Array.from({ length: 12 }, (_, at) => `${of} ${at}`);
const [makers, topics] = [values("maker"), values("topic")];

/** Whoever asks for a brand wants any good of the maker, whoever asks for a topic any good on it; both say both. */
const goods = Array.from({ length: 288 }, (_, n) => ({
  id: `g${String(n).padStart(3, "0")}`,
  maker: makers[n % 12] as string,
  topic: topics[(5 * Math.floor(n / 12) + n) % 12] as string,
}));

const queries = Array.from({ length: 120 }, (_, n) => ({
  _id: `q${n}`,
  text: "",
  parts: { maker: makers[n % 12] as string, topic: topics[(7 * n + Math.floor(n / 12)) % 12] as string },
  class: n % 2 === 0 ? "brand" : "topic",
}));

const config = {
  collections: {
    goods: {
      fields: { maker: "category", topic: "category" },
      spaces: {
        maker: { encoder: "category", field: "maker", values: makers },
        topic: { encoder: "category", field: "topic", values: topics },
      },
      tasks: { search: { kind: "retrieval", judgements: "./judged" } },
    },
  },
};

let workplace: Workplace;

beforeAll(() => {
  workplace = new Workplace(config);
  workplace.write("goods.jsonl", jsonLines(goods));
  mkdirSync(workplace.path("judged/qrels"), { recursive: true });
  workplace.write("judged/queries.jsonl", jsonLines(queries));
  const judged = queries.flatMap(({ _id, parts, class: of }) =>
    goods
      .filter(({ maker, topic }) => (of === "brand" ? maker === parts.maker : topic === parts.topic))
      .map(({ id }) => `${_id}\t${id}\t1`),
  );
  workplace.write("judged/qrels/test.tsv", ["query-id\tcorpus-id\tscore", ...judged, ""].join("\n"));
});
afterAll(() => workplace[Symbol.asyncDispose]());

test("classes of searches that want different things get weights of their own, with their evidence", async () => {
  const { data, exitCode } = await workplace.runJson(["assign", "goods", "--from", "goods.jsonl"]);
  expect({ exitCode, data }).toMatchObject({ exitCode: 0, data: { isWritten: true, weights: null } });
  const lock = JSON.parse(await readFile(workplace.path("medley.lock.json"), "utf8"));
  expect(lock.lockVersion).toBe(5);
  const { brand, topic } = lock.assigned.classes.goods;
  expect(brand.weights.maker).toBeGreaterThan(1.3);
  expect(topic.weights.topic).toBeGreaterThan(1.3);
  expect(brand.evidence).toMatchObject({ class: "brand", isUsed: true, validation: { isGain: true } });
  expect(brand.evidence.validation.low).toBeGreaterThan(0.1);
});

interface Found {
  readonly hits: readonly { readonly fields: { readonly maker: string; readonly topic: string } }[];
}

test("a search of a class has its weights, but for those that it names itself; an unknown one is refused", async () => {
  await workplace.runJson(["backfill", "goods.jsonl", "-c", "goods"]);
  const said = ["search", "goods", "--maker", "maker 3", "--topic", "topic 5", "-k", "20"];
  const searched = async (...more: string[]) => (await workplace.runJson([...said, ...more])).data as Found;
  const byBrand = await searched("--class", "brand");
  expect(new Set(byBrand.hits.map(({ fields }) => fields.maker))).toEqual(new Set(["maker 3"]));
  const byTopic = await searched("--class", "topic");
  expect(new Set(byTopic.hits.map(({ fields }) => fields.topic))).toEqual(new Set(["topic 5"]));
  const turned = await searched("--class", "topic", "--weight", "maker=5");
  expect(new Set(turned.hits.map(({ fields }) => fields.maker))).toEqual(new Set(["maker 3"]));
  const { error } = await workplace.runJson([...said, "--class", "brands"]);
  expect(error).toMatchObject({ code: "query_invalid", mend: 'did you mean "brand"?' });
});

test("SQL, HTTP and the command line give a class the same hits", async () => {
  const { command, httpUrl, connectionString } = await workplace.up();
  const sql = new pg.Client({ connectionString });
  await sql.connect();
  const parts = { maker: "maker 3", topic: "topic 5" };
  type Row = { id: string; score: number };
  const scored = (hits: readonly Row[]) => hits.map(({ id, score }) => `${id} ${score.toFixed(6)}`);
  const bySql = async (named: string | null, weights: object | null) => {
    const text = `select id, score from medley.search('goods', medley.query('goods', $1, $2, class => $3), 20) order by place`;
    return scored((await sql.query<Row>(text, [parts, weights, named])).rows);
  };
  const byHttp = async (named: string, weights: object | null) => {
    const { body } = await post(`${httpUrl}/v1/collections/goods/search`, {
      ...{ parts, class: named, k: 20, ...(weights === null ? {} : { weights }) },
    });
    return scored(body.hits);
  };
  const byCommand = async (named: string, weights: object | null) => {
    const weighed = Object.entries(weights ?? {}).flatMap(([space, weight]) => ["-w", `${space}=${weight}`]);
    const said = ["search", "goods", "--maker", parts.maker, "--topic", parts.topic, "-k", "20"];
    return scored((await workplace.runJson([...said, "--class", named, ...weighed])).data.hits);
  };
  for (const [named, weights] of [
    ["brand", null],
    ["topic", null],
    ["topic", { maker: 5 }],
  ] as const) {
    const hits = await bySql(named, weights);
    expect(hits).toHaveLength(20);
    expect(hits).not.toEqual(await bySql(null, null));
    expect(await byHttp(named, weights)).toEqual(hits);
    expect(await byCommand(named, weights)).toEqual(hits);
  }
  await expect(bySql("brands", null)).rejects.toMatchObject({
    code: "22023",
    message: 'collection goods has no class "brands" of searches',
    hint: "known: brand, topic",
  });
  await sql.end();
  command.kill("SIGTERM");
  await command.ended;
});

test("an evaluation weighs each query by its class, and shows what that is worth", async () => {
  const evaluated = async (...more: string[]) => {
    const { data } = await workplace.runJson(["eval", "goods", "--beir", "judged", "-k", "30", ...more]);
    const { all, "without classes": without } = Object.fromEntries(
      data.weightings.map((one: { name: string }) => [one.name, one]),
    );
    return { ...data, all, without };
  };
  const classed = await evaluated();
  // All goods of the maker, or all on the topic, are the answers.
  expect(classed.all).toMatchObject({ ndcg10: 1, weights: { maker: 1, topic: 1 } });
  expect(classed.without.ndcg10).toBeLessThan(0.8);
  expect(classed.without.toAll.high).toBeLessThan(0);
  expect(classed.unknownClasses).toEqual([]);
  workplace.write("judged/queries.jsonl", jsonLines(queries.map((query) => ({ ...query, class: "shelf" }))));
  const unknown = await evaluated();
  expect(unknown).toMatchObject({ unknownClasses: ["shelf"], all: { ndcg10: classed.without.ndcg10 } });
  workplace.write("judged/queries.jsonl", jsonLines(queries.map(({ class: _, ...query }) => query)));
  const brands = await evaluated("--class", "brand");
  expect(brands.all.ndcg10).toBeLessThan(classed.all.ndcg10);
  expect(brands.all.ndcg10).not.toBe(classed.without.ndcg10);
  const { error } = await workplace.runJson(["eval", "goods", "--beir", "judged", "--class", "brands"]);
  expect(error).toMatchObject({ code: "query_invalid", mend: 'did you mean "brand"?' });
});
