import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonLines, Workplace } from "./medley.fixture.ts";

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
