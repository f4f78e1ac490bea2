/** Pictures from a file's records to search, alone and beside words, dates and profiles, on the products of examples/products. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig, openDeployment, readSettings } from "medley";
import { expect, onTestFinished, test } from "vitest";
import { jsonLines, Workplace } from "./medley.fixture.ts";

interface Product {
  readonly id: string;
  readonly photo: string;
  readonly category: string;
  readonly colour: string;
  readonly price: number;
  readonly launched: string;
}

const example = join(import.meta.dirname, "../../examples/products");
const products: Product[] = readFileSync(join(example, "products.jsonl"), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line));

/** A collection with `names` of the example's spaces, its photos in a folder of its own. */
async function shopOf(chosen: readonly Product[], names: readonly string[]): Promise<Workplace> {
  const products = (await loadConfig(example)).collections.get("products");
  const spaces = products?.spaces.filter(({ name }) => names.includes(name)) ?? [];
  const fields = products?.fields ?? [];
  const shop = new Workplace({
    collections: {
      products: {
        fields: Object.fromEntries(fields.map(({ name, type }) => [name, type])),
        spaces: Object.fromEntries(
          spaces.map(({ name, definition }) => [
            name,
            definition.encoder === "image" ? { ...definition, from: { folder: "photos" } } : definition,
          ]),
        ),
        profiles: products?.profiles ?? undefined,
      },
    },
  });
  onTestFinished(() => shop[Symbol.asyncDispose]());
  mkdirSync(shop.path("photos"));
  for (const { photo } of chosen) copyFileSync(join(example, "photos", photo), shop.path(`photos/${photo}`));
  return shop;
}

test("pictures by path: found again by their bytes; broken ones, paths that leave the folder and addresses are dead letters", async () => {
  const chosen = products.filter((_, at) => at % 5 === 0);
  const shop = await shopOf(chosen, ["photo", "price"]);
  const [first, second, third] = chosen as [Product, Product, Product];
  const photo = readFileSync(join(example, "photos", first.photo));
  writeFileSync(shop.path("photos/torn.webp"), photo.subarray(0, photo.length >> 1));
  writeFileSync(shop.path("photos/none.webp"), "no picture at all");
  writeFileSync(shop.path("private.webp"), photo);
  const atFault = [
    { ...first, id: "torn", photo: "torn.webp" },
    { ...first, id: "no-picture", photo: "none.webp" },
    { ...first, id: "missing", photo: "nowhere.webp" },
    { ...first, id: "escapes", photo: "../private.webp" },
    { ...first, id: "address", photo: "https://images.example.com/1.webp" },
  ];
  const records = chosen.flatMap((product, at) => [product, ...atFault.slice(at, at + 1)]);
  shop.write("products.jsonl", jsonLines(records));

  const filled = await shop.runJson(["backfill", "products.jsonl"]);
  expect(filled).toMatchObject({
    exitCode: 4,
    data: { indexed: chosen.length, deadLetters: atFault.length },
  });
  const { data: letters } = await shop.runJson(["dead-letters", "list"]);
  const reasons = Object.fromEntries(
    letters.map(({ recordId, code, reason }: Record<string, string>) => [recordId, `${code}: ${reason}`]),
  );
  expect(reasons).toEqual({
    torn: expect.stringMatching(/^encoder_failed: .*photo/),
    "no-picture": expect.stringMatching(/^encoder_failed: .*photo/),
    missing: expect.stringMatching(/^encoder_failed: .*photo/),
    escapes: expect.stringMatching(/^encoder_failed: .*leads out of "from.folder"/),
    address: expect.stringMatching(/^encoder_failed: .*images\.example\.com/),
  });

  for (const { id, photo } of [second, third]) {
    const path = join(example, "photos", photo);
    const { data } = await shop.runJson([
      "search",
      "products",
      "--photo",
      path,
      "--weight",
      "price=0",
      "-k",
      "2",
    ]);
    expect(data.hits[0].id).toBe(id);
    expect(data.hits[0].score).toBeGreaterThan(0.999);
    expect(data.hits[1].score).toBeLessThan(0.999);
  }
});

test("a new price runs no model; a new picture runs one picture and no text", async () => {
  const chosen = products.slice(0, 12);
  const shop = await shopOf(products.slice(0, 13), ["photo", "about", "category", "price", "launched"]);
  const { collections } = await loadConfig(shop.folder);
  const settings = readSettings({ MEDLEY_DATA_DIR: shop.path(".medley"), MEDLEY_POSTGRES_PORT: "0" });
  await using deployment = await openDeployment({ collections, settings });
  await deployment.runStages(["embed", "index"]);
  const runs = async (records: readonly Product[]) => {
    const inputs = deployment.runtime.counters.inputs;
    const { encoded } = deployment.counters.segments;
    await deployment.ingest("products", records);
    await deployment.settled();
    return {
      models: deployment.runtime.counters.inputs - inputs,
      segments: deployment.counters.segments.encoded - encoded,
    };
  };
  expect(await runs(chosen)).toEqual({ models: 24, segments: 60 });
  expect(await runs(chosen)).toEqual({ models: 0, segments: 0 });
  expect(await runs(chosen.map((product) => ({ ...product, price: product.price + 100 })))).toEqual({
    models: 0,
    segments: 12,
  });
  const [changed] = chosen as [Product];
  const photo = products[12]?.photo as string;
  expect(await runs([{ ...changed, price: changed.price + 100, photo }])).toEqual({ models: 1, segments: 1 });
  const { rows } = await deployment.pool.query("select count(*)::int as rows from medley.products");
  expect(rows).toEqual([{ rows: 12 }]);
});

test("like this picture, launched recently, for this user, matching these words: each factor counts in one search", async () => {
  const chosen = products.filter(({ category }) => ["boots", "lamps", "sneakers"].includes(category));
  const shop = await shopOf(chosen, ["photo", "about", "colour", "price", "launched"]);
  const { collections } = await loadConfig(shop.folder);
  const settings = readSettings({ MEDLEY_DATA_DIR: shop.path(".medley"), MEDLEY_POSTGRES_PORT: "0" });
  await using deployment = await openDeployment({ collections, settings });
  await deployment.runStages(["embed", "index"]);
  await deployment.ingest("products", chosen);
  await deployment.settled();
  const buys = (user: string, liked: string) =>
    chosen
      .filter(({ category, colour }) => category === "lamps" && colour === liked)
      .map(({ id }) => ({ _op: "event", user, item: id, kind: "buy", at: "2026-06-01T00:00:00Z" }));
  const events = [...buys("kim", "blue"), ...buys("jon", "red")];
  expect((await deployment.ingest("products", events)).rejected).toEqual([]);
  await deployment.settled();

  const byId = new Map(chosen.map((product) => [product.id, product]));
  const photo = { base64: readFileSync(join(example, "queries/red-high-top.webp")).toString("base64") };
  const parts = {
    photo,
    about: "warm and dry feet in the rain",
    launched: { now: "2026-07-01", halfLifeDays: 180 },
  };
  const ask = async (user: string, weights: Record<string, number>) => {
    const all = { photo: 8, about: 2, launched: 1, colour: 1.5, price: 0.3, ...weights };
    const query = { parts, for: user, excludeSeen: true, weights: all, k: 5 };
    const hits = await deployment.search("products", query);
    for (const { score, contributions } of hits)
      expect(Object.values(contributions).reduce((sum, one) => sum + one)).toBeCloseTo(score, 2);
    return hits.map(({ id }) => byId.get(id) as Product);
  };
  const share = (found: readonly Product[], isSo: (product: Product) => boolean) =>
    found.filter(isSo).length / found.length;
  const isShoe = ({ category }: Product) => category !== "lamps";
  const isBoot = ({ category }: Product) => category === "boots";
  const isNew = ({ launched }: Product) => launched > "2025-07-01";
  const isBlue = ({ colour }: Product) => colour === "blue";

  const found = await ask("kim", {});
  expect(share(found, isShoe)).toBe(1);
  expect(share(await ask("kim", { photo: 0, about: 0 }), isShoe)).toBeLessThan(1);
  expect(share(await ask("kim", { about: 20 }), isBoot)).toBeGreaterThan(share(found, isBoot));
  expect(share(await ask("kim", { launched: 20 }), isNew)).toBe(1);
  expect(share(found, isNew)).toBeGreaterThan(share(await ask("kim", { launched: 0 }), isNew));
  expect(share(found, isBlue)).toBeGreaterThan(share(await ask("jon", {}), isBlue));
  expect(share(await ask("kim", { colour: 0 }), isBlue)).toBeLessThan(share(found, isBlue));
});
