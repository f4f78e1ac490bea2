import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import type { Deployment, Hit } from "medley";
import { expectHits, here, indent, isShoe, photo, recent, say, search } from "./asking.ts";

// "Products like this picture, launched recently, for this user, matching these words": one search. The picture, the words and the
// date are its parts; for what they leave open, the colour and the price, the shopper's profile stands in.

interface ShoppingEvent {
  readonly user: string;
  readonly item: string;
  readonly kind: "view" | "buy" | "return";
}

interface Taste {
  readonly user: string;
  readonly colours: readonly string[];
}

const parts = { photo: photo("red-high-top"), about: "warm and dry feet in the rain", launched: recent };
/** Cosines of pictures differ by tenths where those of colours differ by 1. */
const weights = { photo: 8, about: 2, launched: 1, colour: 1.5, price: 0.3 };
/** What each factor of the search is said by. */
const factors = {
  "the picture": ["photo"],
  "the words": ["about"],
  "the launch": ["launched"],
  "the shopper": ["colour", "price"],
} as const;

/** Tells what each shopper did; profiles follow from it. Two shoppers of different taste. */
export async function sendEvents(deployment: Deployment): Promise<readonly [Taste, Taste]> {
  const lines = readFileSync(`${here}events.jsonl`, "utf8").trimEnd().split("\n");
  const events = lines.map((line): ShoppingEvent => JSON.parse(line));
  const { rejected } = await deployment.ingest(
    "products",
    events.map((event) => ({ _op: "event", ...event })),
  );
  assert.deepEqual(rejected, [], "every event is one");
  await deployment.settled();
  const shoppers = new Set(events.map(({ user }) => user)).size;
  say(`   ${events.length} events of ${shoppers} shoppers, each of whom has a profile from now on`);
  return [await tasteOf("jon", events, deployment), await tasteOf("kim", events, deployment)];
}

/** The colours of most of what somebody bought: what a reader of the hits can look for. */
async function tasteOf(
  user: string,
  events: readonly ShoppingEvent[],
  deployment: Deployment,
): Promise<Taste> {
  const bought = events.filter((event) => event.user === user && event.kind === "buy");
  const { rows } = await deployment.pool.query<{ colour: string; count: number }>(
    "select colour, count(*)::int from medley.products where id = any ($1) group by colour order by 2 desc, 1 limit 3",
    [bought.map(({ item }) => item)],
  );
  const colours = rows.map(({ colour }) => colour);
  say(`   ${user} bought ${rows.map(({ colour, count }) => `${count} ${colour}`).join(", ")}`);
  return { user, colours };
}

export async function askForShoppers(
  deployment: Deployment,
  [first, second]: readonly [Taste, Taste],
): Promise<void> {
  const found = new Map<string, readonly Hit[]>();
  for (const { user, colours } of [first, second]) {
    const hits = await search(deployment, `for ${user}`, { parts, for: user, excludeSeen: true, weights });
    expectHits(hits, "are shoes", 5, isShoe);
    expectHits(hits, `are ${colours.join(" or ")}`, 3, ({ colour }) => colours.includes(colour as string));
    expectHits(hits, "are new", 3, ({ launched }) => Number(launched) > Date.parse("2025-07-01"));
    found.set(user, hits);
  }
  const [own = [], others = []] = [...found.values()].map((hits) => hits.map(({ id }) => id));
  assert(own.filter((id) => others.includes(id)).length <= 2, "two shoppers find different things");
  await leaveOut(deployment, first.user);
}

/** What each factor does: how near the five hits are in it, with all factors and without each. */
async function leaveOut(deployment: Deployment, user: string): Promise<void> {
  const ask = (counting: Record<string, number>, k = 5) =>
    deployment.search("products", {
      ...{ parts, for: user, excludeSeen: true, k },
      weights: { category: 0, ...counting },
    });
  const all = new Map((await ask(weights, 240)).map((hit) => [hit.id, hit]));
  const nearness = (hits: readonly Hit[]) =>
    Object.values(factors).map((spaces) => {
      const sums = hits.map(({ id }) =>
        spaces.reduce((sum: number, space) => sum + (all.get(id)?.contributions[space] ?? 0), 0),
      );
      return sums.reduce((sum, one) => sum + one, 0) / hits.length;
    });
  const names = Object.keys(factors) as (keyof typeof factors)[];
  const whole = nearness(await ask(weights));
  const row = (title: string, cells: readonly string[]) =>
    `${title.padEnd(20)}${cells.map((cell) => cell.padEnd(13)).join("")}`.trimEnd();
  const shown = (values: readonly number[]) => values.map((value) => value.toFixed(3));
  say(`\n   what each factor does for ${user}: what it adds to the score of a hit, on average`);
  say(indent([row("", names), row("all four", shown(whole))].join("\n")));
  for (const [at, name] of names.entries()) {
    const without = Object.fromEntries(factors[name].map((space) => [space, 0]));
    const left = nearness(await ask({ ...weights, ...without }));
    say(indent(row(`without ${name}`, shown(left))));
    assert((left[at] as number) < (whole[at] as number), `${name} makes a difference`);
  }
}
