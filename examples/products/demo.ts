import { strict as assert } from "node:assert";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { backfill, type Deployment, loadConfig, openDeployment, openSource, readSettings } from "medley";
import pg from "pg";
import { expectHits, here, indent, isShoe, photo, recent, say, search } from "./asking.ts";
import { askForShoppers, sendEvents } from "./for-whom.ts";

// Pictures, texts, categories, prices, dates and what shoppers like in one vector: "products like this picture, launched recently, for
// this user, matching these words". Each part asserts that what it shows makes sense, and the demo ends where it does not.
const dataDir = `${here}.medley`;

async function load(deployment: Deployment): Promise<void> {
  const path = `${here}products.jsonl`;
  const startMs = performance.now();
  const { progress } = await backfill({
    deployment,
    collection: "products",
    source: await openSource(path),
    path,
  });
  const seconds = (performance.now() - startMs) / 1000;
  assert.deepEqual([progress.indexed, progress.deadLetters], [240, 0], "every product is indexed");
  say(
    `   ${progress.indexed} products indexed in ${seconds.toFixed(1)} s: 240 photos by thin-resnet-50 and 240`,
  );
  say("   texts by all-MiniLM-L6-v2 on this machine; each product is one vector of 1,498 dimensions");
}

const wish = {
  photo: photo("red-high-top"),
  about: "warm and dry feet in the rain",
  category: ["sneakers", "boots"],
  price: "low",
  launched: recent,
};

async function weigh(deployment: Deployment): Promise<void> {
  const ask = (title: string, weights: Record<string, number>) =>
    search(deployment, title, { parts: wish, weights });

  const looks = await ask("the picture alone", { photo: 1 });
  assert.equal(looks[0]?.fields.colour, "red", "the nearest picture shows the same shoe");
  expectHits(looks, "are shoes", 4, isShoe);

  const described = await ask("the description counts", { photo: 0.2, about: 3, category: 0.2 });
  expectHits(described, "are boots", 4, ({ category }) => category === "boots");

  const bargains = await ask("new and cheap, whatever it looks like", { category: 1, price: 1, launched: 1 });
  expectHits(bargains, "are shoes", 5, isShoe);
  expectHits(bargains, "are new", 4, ({ launched }) => Number(launched) > Date.parse("2025-07-01"));

  const all = { photo: 4, about: 1.5, category: 1, price: 0.5, launched: 0.5 };
  expectHits(await ask("a bit of everything", all), "are shoes", 5, isShoe);
}

/** A picture says what words can't, and words what the picture model does not see. */
async function addWords(deployment: Deployment): Promise<void> {
  const mug = photo("blue-striped-mug");
  const alone = await search(deployment, "the picture alone", {
    parts: { photo: mug },
    weights: { photo: 1 },
  });
  expectHits(alone, "are mugs", 4, ({ category }) => category === "mugs");
  const [first] = await search(deployment, 'the picture and the words "a blue mug"', {
    parts: { photo: mug, about: "a blue mug" },
    weights: { photo: 1, about: 1 },
  });
  const { category, colour } = first?.fields ?? {};
  assert.deepEqual([category, colour], ["mugs", "blue"], "the words bring the colour");
}

async function like(deployment: Deployment): Promise<void> {
  const hits = await search(deployment, 'like lamps-01, {"price": {"lte": 60}}', {
    like: "lamps-01",
    weights: { photo: 1, about: 1 },
    filter: { price: { lte: 60 } },
  });
  expectHits(hits, "are lamps", 4, ({ category }) => category === "lamps");
  expectHits(hits, "are cheap", hits.length, ({ price }) => Number(price) <= 60);
}

async function change(deployment: Deployment): Promise<void> {
  const line = readFileSync(`${here}products.jsonl`, "utf8").split("\n")[0] as string;
  const product = JSON.parse(line);
  const runBefore = deployment.runtime.counters.inputs;
  const startMs = performance.now();
  await deployment.ingest("products", [{ ...product, price: 9.9 }]);
  await deployment.settled();
  const ms = (performance.now() - startMs).toFixed(0);
  const run = deployment.runtime.counters.inputs - runBefore;
  assert.equal(run, 0, "a new price runs no model");
  say(`   ${product.id} now costs 9.90: indexed after ${ms} ms, its photo and text were not looked at again`);
}

const agreementSql = `select
  avg((near.category = p.category)::int)::float as category,
  avg((near.colour = p.colour)::int)::float as colour
from medley.products p
cross join lateral medley.search(
  'products',
  medley.query('products', weights => '{"photo": 1, "about": 0, "category": 0, "colour": 0, "price": 0, "launched": 0}', "like" => p.id),
  k => 6
) s
join medley.products near on near.id = s.id
where near.id <> p.id`;

const likeSql = `select p.title, p.price, round(s.score::numeric, 3) as score, s.contributions
from medley.search(
  'products',
  medley.query('products', '{"category": ["teapots"]}', '{"photo": 2, "about": 0, "colour": 0, "launched": 0}', "like" => 'mugs-01'),
  k => 3, filter => '{"price": {"lte": 100}, "category": {"ne": "mugs"}}'
) s join medley.products p using (id) order by s.score desc`;

async function showSql(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query(likeSql);
    say(indent(likeSql));
    for (const { title, price, score, contributions } of rows)
      say(`   -> ${title} (${price})  ${score}  ${JSON.stringify(contributions)}`);
    assert.match(rows[0]?.title, /Pot|Teapot/, "a teapot that looks like the mug");
    say("\n9. What the picture model sees: of the five nearest pictures of each of the 240 products");
    const [agreement] = (await client.query(agreementSql)).rows;
    const [category, colour] = [agreement.category, agreement.colour].map((x) => `${(100 * x).toFixed(0)} %`);
    say(`   ${category} show the same category, ${colour} the same colour (by chance: 8 % each)`);
    assert(agreement.category > 0.75, "pictures of one category are near to each other");
  } finally {
    await client.end();
  }
}

const startMs = performance.now();
// Begins anew, unless another process has the folder open: then opening it below says so.
if (!existsSync(`${dataDir}/lock`)) rmSync(dataDir, { recursive: true, force: true });
const { collections } = await loadConfig(here);
const settings = { ...readSettings(process.env), dataDir, postgresPort: 0 };
{
  say(
    "1. Postgres with pgvector, a queue, a picture model, a text model and three encoders, all in this process",
  );
  await using deployment = await openDeployment({ collections, settings });
  await deployment.runStages(["embed", "index"]);
  say(`   ready after ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  say("\n2. 240 products with a photo each");
  await load(deployment);
  const { photo: _, ...spoken } = wish;
  say(`\n3. One wish, four weightings: looks like queries/red-high-top.webp, ${JSON.stringify(spoken)}`);
  await weigh(deployment);
  say("\n4. Products like this picture, launched recently, for this user, matching these words");
  const shoppers = await sendEvents(deployment);
  await askForShoppers(deployment, shoppers);
  say("\n5. What a picture does not say: looks like queries/blue-striped-mug.webp");
  await addWords(deployment);
  say("\n6. Like a product that is there, under a condition");
  await like(deployment);
  say("\n7. The index is live");
  await change(deployment);
  say("\n8. From SQL, by any driver: what looks like the mug mugs-01, but is a teapot");
  await showSql(deployment.database.connectionString);
}
const rssMb = process.resourceUsage().maxRSS / 1024;
say(
  `\ndone in ${((performance.now() - startMs) / 1000).toFixed(0)} s; at most ${rssMb.toFixed(0)} MB of memory`,
);
