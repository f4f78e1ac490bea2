/**
 * Makes the products of examples/products: `photos/*.webp`, `products.jsonl`, the pictures to search with, `queries/*.webp`, which are no
 * product's, and what shoppers did, `events.jsonl`.
 *
 *     node infra/example-products/draw.ts
 *
 * The same each time, but for what another version of sharp draws or compresses otherwise.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { catalogue } from "./catalogue.ts";
import { type Look, pictureOf } from "./picture.ts";
import { shopping } from "./shopping.ts";

/** By name: another view of a shoe that is in the collection, and a mug of a colour and pattern that is not. */
export const queries: Readonly<Record<string, Look>> = {
  "red-high-top": {
    category: "sneakers",
    style: "high-top",
    colour: "red",
    pattern: "plain",
    seed: "seen in the street",
  },
  "blue-striped-mug": {
    category: "mugs",
    style: "round mug",
    colour: "blue",
    pattern: "striped",
    seed: "a friend's kitchen",
  },
};

export function jsonLines(values: readonly object[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join("");
}

async function draw(folder: string, looks: readonly (readonly [name: string, look: Look])[]): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, look] of looks) writeFileSync(join(folder, name), await pictureOf(look));
}

if (import.meta.main) {
  const example = join(import.meta.dirname, "../../examples/products");
  const items = catalogue();
  await draw(
    join(example, "photos"),
    items.map(({ product, look }) => [product.photo, look]),
  );
  await draw(
    join(example, "queries"),
    Object.entries(queries).map(([name, look]) => [`${name}.webp`, look]),
  );
  const products = items.map(({ product }) => product);
  writeFileSync(join(example, "products.jsonl"), jsonLines(products));
  writeFileSync(join(example, "events.jsonl"), jsonLines(shopping(products)));
  process.stdout.write(`${items.length} products in ${example}\n`);
}
