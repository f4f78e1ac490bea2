import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { catalogue } from "./catalogue.ts";
import { jsonLines, queries } from "./draw.ts";
import { pictureOf } from "./picture.ts";
import { shopping } from "./shopping.ts";

const example = join(import.meta.dirname, "../../examples/products");
const items = catalogue();

test.each([
  ["products.jsonl", items.map(({ product }) => product)],
  ["events.jsonl", shopping(items.map(({ product }) => product))],
])("examples/products/%s is what the script makes: run node infra/example-products/draw.ts", (name, made) => {
  expect(readFileSync(join(example, name), "utf8")).toBe(jsonLines(made));
});

test("there is a picture per product and none besides, small enough for a repository", () => {
  const names = readdirSync(join(example, "photos"));
  expect(names.toSorted()).toEqual(items.map(({ product }) => product.photo).toSorted());
  const bytes = names.map((name) => statSync(join(example, "photos", name)).size);
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1_500_000);
  expect(new Set(items.map(({ product }) => product.title + product.description)).size).toBe(items.length);
  const looks = items.map(({ look: { category, style, colour, pattern } }) =>
    [category, style, colour, pattern].join(),
  );
  expect(new Set(looks).size).toBe(items.length);
});

test("pictures show what the script draws, but for what other versions of sharp do otherwise", async () => {
  const drawn = [
    ...items
      .filter((_, at) => at % 9 === 0)
      .map(({ product, look }) => [join(example, "photos", product.photo), look] as const),
    ...Object.entries(queries).map(
      ([name, look]) => [join(example, "queries", `${name}.webp`), look] as const,
    ),
  ];
  const levels = (bytes: Uint8Array) => sharp(bytes).removeAlpha().raw().toBuffer();
  for (const [file, look] of drawn) {
    const [kept, now] = [await levels(readFileSync(file)), await levels(await pictureOf(look))];
    const difference = kept.reduce((sum, level, at) => sum + Math.abs(level - (now[at] as number)), 0);
    // Of 255: two products differ by 10 and more.
    expect([file, difference / kept.length < 3]).toEqual([file, true]);
  }
});
