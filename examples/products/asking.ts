import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Deployment, type Hit, hitTable, type SearchQuery } from "medley";

// How the demo asks and shows what was found.
export const here = fileURLToPath(new URL(".", import.meta.url));
export const say = (text: string) => process.stdout.write(`${text}\n`);

export const photo = (name: string) => ({
  base64: readFileSync(`${here}queries/${name}.webp`).toString("base64"),
});

/** Dates are counted from when the products were made up, so that the demo says the same on any day. */
export const recent = { now: "2026-07-01", halfLifeDays: 180 };

/** Spaces that a search does not name would count with weight 1. */
const nothing = { photo: 0, about: 0, category: 0, colour: 0, price: 0, launched: 0 };

/** Asks with these weights alone, and shows what each space adds to the score. */
export async function search(
  deployment: Deployment,
  title: string,
  query: SearchQuery & { weights: Record<string, number> },
): Promise<readonly Hit[]> {
  const hits = await deployment.search("products", {
    k: 5,
    ...query,
    weights: { ...nothing, ...query.weights },
  });
  const counting = Object.entries(query.weights).filter(([, weight]) => weight !== 0);
  say(`\n   ${title}: ${counting.map(([space, weight]) => `${space} ${weight}`).join(", ")}`);
  const spaces = counting.map(([space]) => space);
  say(indent(hitTable(hits, spaces)));
  return hits;
}

/** Ends the demo where fewer than `countMin` of the hits are as they should be. */
export function expectHits(
  hits: readonly Hit[],
  what: string,
  countMin: number,
  isSo: (fields: Hit["fields"]) => boolean,
): void {
  const count = hits.filter(({ fields }) => isSo(fields)).length;
  assert(count >= countMin, `${count} of ${hits.length} hits ${what}, ${countMin} expected`);
}

export const isShoe = ({ category }: Hit["fields"]) => category === "sneakers" || category === "boots";

export function indent(text: string): string {
  return text.replaceAll(/^/gm, "   ");
}
