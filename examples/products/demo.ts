import { strict as assert } from "node:assert";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  backfill,
  type Deployment,
  type Hit,
  hitTable,
  loadConfig,
  openDeployment,
  openSource,
  readSettings,
} from "medley";
import pg from "pg";

// Pictures, texts, categories, prices and dates in one vector: "what looks like this picture, is described as ..., in my
// categories, recent and cheap". Each part asserts that what it shows makes sense, and the demo ends where it does not.
const here = fileURLToPath(new URL(".", import.meta.url));
const dataDir = `${here}.medley`;
const say = (text: string) => process.stdout.write(`${text}\n`);

async function load(deployment: Deployment): Promise<void> {
  const path = `${here}products.jsonl`;
  const startMs = performance.now();
  const { progress } = await backfill({
    deployment,
    collection: "products",
    source: await openSource(path),
    path,
    resume: null,
    onStart: () => {},
    onProgress: () => {},
    signal: new AbortController().signal,
    detach: false,
  });
  const seconds = (performance.now() - startMs) / 1000;
  assert.deepEqual([progress.indexed, progress.deadLetters], [240, 0], "every product is indexed");
  say(
    `   ${progress.indexed} products indexed in ${seconds.toFixed(1)} s: 240 photos by thin-resnet-50 and 240`,
  );
  say("   texts by all-MiniLM-L6-v2 on this machine; each product is one vector of 1,486 dimensions");
}

const photo = (name: string) => ({ base64: readFileSync(`${here}queries/${name}.webp`).toString("base64") });

/** Dates are counted from when the products were made up, so that the demo says the same on any day. */
const recent = { now: "2026-07-01", halfLifeDays: 180 };

const wish = {
  photo: photo("red-high-top"),
  about: "warm and dry feet in the rain",
  category: ["sneakers", "boots"],
  price: "low",
  launched: recent,
};

async function search(
  deployment: Deployment,
  title: string,
  weights: Record<string, number>,
): Promise<readonly Hit[]> {
  const hits = await deployment.search("products", { parts: wish, weights, k: 5 });
  const named = Object.entries(weights).map(([space, weight]) => `${space} ${weight}`);
  say(`\n   ${title}: ${named.join(", ")}`);
  say(indent(hitTable(hits, Object.keys(weights))));
  return hits;
}

/** Ends the demo where fewer than `countMin` of the hits are as they should be. */
function expectHits(
  hits: readonly Hit[],
  what: string,
  countMin: number,
  isSo: (fields: Hit["fields"]) => boolean,
): void {
  const count = hits.filter(({ fields }) => isSo(fields)).length;
  assert(count >= countMin, `${count} of ${hits.length} hits ${what}, ${countMin} expected`);
}

async function weigh(deployment: Deployment): Promise<void> {
  const looks = await search(deployment, "the picture counts", {
    photo: 1,
    about: 0,
    category: 0,
    price: 0,
    launched: 0,
  });
  assert.equal(looks[0]?.fields.colour, "red", "the nearest picture shows the same shoe");
  expectHits(looks, "are shoes", 4, ({ category }) => category === "sneakers" || category === "boots");

  const described = await search(deployment, "the description counts", {
    photo: 0.2,
    about: 3,
    category: 0.2,
    price: 0,
    launched: 0,
  });
  expectHits(described, "are boots", 4, ({ category }) => category === "boots");

  const bargains = await search(deployment, "new and cheap, whatever it looks like", {
    photo: 0,
    about: 0,
    category: 1,
    price: 1,
    launched: 1,
  });
  expectHits(bargains, "are shoes of the last year", 5, ({ category, launched }) => {
    const isShoe = category === "sneakers" || category === "boots";
    return isShoe && Number(launched) > Date.parse("2025-07-01");
  });

  await search(deployment, "a bit of everything", {
    photo: 2,
    about: 1,
    category: 1,
    price: 0.7,
    launched: 0.7,
  });
}

async function colour(deployment: Deployment): Promise<void> {
  const parts = { photo: photo("blue-striped-mug"), about: "blue striped mug" };
  const weights = { photo: 1, about: 1 };
  const hits = await deployment.search("products", { parts, weights, k: 5 });
  say(indent(hitTable(hits, Object.keys(weights))));
  expectHits(hits, "are mugs", 4, ({ category }) => category === "mugs");
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
  medley.query('products', weights => '{"photo": 1, "about": 0, "category": 0, "price": 0, "launched": 0}', "like" => p.id),
  k => 6
) s
join medley.products near on near.id = s.id
where near.id <> p.id`;

const likeSql = `select p.title, p.price, round(s.score::numeric, 3) as score, s.contributions
from medley.search(
  'products',
  medley.query('products', '{"category": ["teapots"]}', '{"photo": 2, "about": 0, "launched": 0}', "like" => 'mugs-01'),
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
    say("\n6. What the picture model sees: of the five nearest pictures of each of the 240 products");
    const [agreement] = (await client.query(agreementSql)).rows;
    const share = (value: number) => `${(100 * value).toFixed(0)} %`;
    say(
      `   ${share(agreement.category)} show the same category (by chance 8 %), ${share(agreement.colour)} the same colour (by chance 8 %)`,
    );
    assert(agreement.category > 0.75, "pictures of one category are near to each other");
  } finally {
    await client.end();
  }
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "   ");
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
  await colour(deployment);
  await change(deployment);
  await showSql(deployment.database.connectionString);
}
const rssMb = process.resourceUsage().maxRSS / 1024;
say(
  `\ndone in ${((performance.now() - startMs) / 1000).toFixed(0)} s; at most ${rssMb.toFixed(0)} MB of memory`,
);
