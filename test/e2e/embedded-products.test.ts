/** Pictures from a file's records to search, on the products of examples/products. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig, openDeployment, readSettings } from "medley";
import { expect, onTestFinished, test } from "vitest";
import { jsonLines, Workplace } from "./medley.fixture.ts";

interface Product {
  readonly id: string;
  readonly photo: string;
  readonly price: number;
}

const example = join(import.meta.dirname, "../../examples/products");
const products: Product[] = readFileSync(join(example, "products.jsonl"), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line));

/** A collection with `names` of the example's spaces, its photos in a folder of its own. */
async function shopOf(chosen: readonly Product[], names: readonly string[]): Promise<Workplace> {
  const { collections } = await loadConfig(example);
  const spaces = collections.get("products")?.spaces.filter(({ name }) => names.includes(name)) ?? [];
  const fields = collections.get("products")?.fields ?? [];
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
