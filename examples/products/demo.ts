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
  type SearchQuery,
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

const nothing = { photo: 0, about: 0, category: 0, price: 0, launched: 0 };

async function search(
  deployment: Deployment,
  title: string,
  query: SearchQuery & { weights: Record<string, number> },
): Promise<readonly Hit[]> {
  const hits = await deployment.search("products", { k: 5, ...query });
  const counting = Object.entries(query.weights).filter(([, weight]) => weight !== 0);
  say(`\n   ${title}: ${counting.map(([space, weight]) => `${space} ${weight}`).join(", ")}`);
  const spaces = counting.map(([space]) => space);
  say(indent(hitTable(hits, spaces)));
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

const isShoe = ({ category }: Hit["fields"]) => category === "sneakers" || category === "boots";

async function weigh(deployment: Deployment): Promise<void> {
  const ask = (title: string, weights: Record<string, number>) =>
    search(deployment, title, { parts: wish, weights: { ...nothing, ...weights } });

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
    weights: { ...nothing, photo: 1 },
  });
  expectHits(alone, "are mugs", 4, ({ category }) => category === "mugs");
  const [first] = await search(deployment, 'the picture and the words "a blue mug"', {
    parts: { photo: mug, about: "a blue mug" },
    weights: { ...nothing, photo: 1, about: 1 },
  });
  const { category, colour } = first?.fields ?? {};
  assert.deepEqual([category, colour], ["mugs", "blue"], "the words bring the colour");
}

async function like(deployment: Deployment): Promise<void> {
  const hits = await search(deployment, 'like lamps-01, {"price": {"lte": 60}}', {
    like: "lamps-01",
    weights: { ...nothing, photo: 1, about: 1 },
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
    assert.match(rows[0]?.title, /Pot|Teapot/, "a teapot that looks like the mug");
    say("\n8. What the picture model sees: of the five nearest pictures of each of the 240 products");
    const [agreement] = (await client.query(agreementSql)).rows;
    const [category, colour] = [agreement.category, agreement.colour].map((x) => `${(100 * x).toFixed(0)} %`);
    say(`   ${category} show the same category, ${colour} the same colour (by chance: 8 % each)`);
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
  say("\n4. What a picture does not say: looks like queries/blue-striped-mug.webp");
  await addWords(deployment);
  say("\n5. Like a product that is there, under a condition");
  await like(deployment);
  say("\n6. The index is live");
  await change(deployment);
  say("\n7. From SQL, by any driver: what looks like the mug mugs-01, but is a teapot");
  await showSql(deployment.database.connectionString);
}
const rssMb = process.resourceUsage().maxRSS / 1024;
say(
  `\ndone in ${((performance.now() - startMs) / 1000).toFixed(0)} s; at most ${rssMb.toFixed(0)} MB of memory`,
);
