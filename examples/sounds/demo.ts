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

// Voice messages by who speaks and by what is said, weighed against each other. Each part asserts that what it shows makes
// sense, and the demo ends where it does not.
const here = fileURLToPath(new URL(".", import.meta.url));
const dataDir = `${here}.medley`;
const say = (text: string) => process.stdout.write(`${text}\n`);

async function load(deployment: Deployment): Promise<void> {
  const path = `${here}sounds.jsonl`;
  const startMs = performance.now();
  const { progress } = await backfill({
    deployment,
    collection: "messages",
    source: await openSource(path),
    path,
  });
  const seconds = (performance.now() - startMs) / 1000;
  assert.deepEqual([progress.indexed, progress.deadLetters], [36, 0], "every message is indexed");
  say(`   ${progress.indexed} messages (Opus, Vorbis, MP3) indexed in ${seconds.toFixed(1)} s`);
}

/** A clip that is in no record. */
const unheard = (speaker: string) => ({
  base64: readFileSync(`${here}queries/${speaker}.opus`).toString("base64"),
});

const speakers = ["angus", "robert", "susan", "kevin", "edgar", "fiona"];

async function recognise(deployment: Deployment): Promise<void> {
  for (const speaker of speakers) {
    const hits = await deployment.search("messages", {
      parts: { voice: unheard(speaker) },
      weights: { said: 0 },
      k: 5,
    });
    const found = hits.map(({ fields, score }) => `${fields.speaker} ${score.toFixed(2)}`);
    say(`   queries/${speaker}.opus -> ${found.join(", ")}`);
    expectHits(hits, `are spoken by ${speaker}`, 4, ({ fields }) => fields.speaker === speaker);
  }
}

/** Ends the demo where fewer than `countMin` of the hits are as they should be. */
function expectHits(hits: readonly Hit[], what: string, countMin: number, isSo: (hit: Hit) => boolean): void {
  const count = hits.filter(isSo).length;
  assert(count >= countMin, `${count} of ${hits.length} hits ${what}, ${countMin} expected`);
}

async function weigh(deployment: Deployment): Promise<void> {
  const parts = { voice: unheard("susan"), said: "you still owe money" };
  const search = async (title: string, weights: Record<string, number>) => {
    const hits = await deployment.search("messages", { parts, weights, k: 4 });
    const named = Object.entries(weights).map(([space, weight]) => `${space} ${weight}`);
    say(`\n   ${title}: ${named.join(", ")}`);
    say(indent(hitTable(hits, Object.keys(weights))));
    return hits;
  };
  const voices = await search("who speaks", { voice: 1, said: 0 });
  expectHits(voices, "are spoken by susan", 4, ({ fields }) => fields.speaker === "susan");
  const meanings = await search("what is said", { voice: 0, said: 1 });
  expectHits(meanings, "are about money", 3, ({ fields }) => fields.topic === "money");
  const [both] = await search("both", { voice: 1, said: 1 });
  assert.equal(both?.id, "susan-money", "she who speaks, about what is asked");
  const others = await search("said by somebody else", { voice: -0.5, said: 1 });
  expectHits(others, "are spoken by others", 4, ({ fields }) => fields.speaker !== "susan");
}

const sql = `select m.id, m.language, m.said, round(s.score::numeric, 3) as score
from medley.search(
  'messages',
  medley.query('messages', weights => '{"voice": 1, "said": 0}', "like" => 'edgar-travel'),
  k => 3, filter => '{"language": {"ne": "en"}}'
) s join medley.messages m using (id) order by s.score desc`;

const agreementSql = `select p.speaker, p.language, avg((near.speaker = p.speaker)::int)::float as agreement
from medley.messages p
cross join lateral medley.search(
  'messages', medley.query('messages', weights => '{"voice": 1, "said": 0}', "like" => p.id), k => 6
) s
join medley.messages near on near.id = s.id
where near.id <> p.id
group by p.id, p.speaker, p.language order by p.id`;

async function showSql(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query(sql);
    say(indent(sql));
    for (const { id, language, said, score } of rows) say(`   -> ${id} (${language})  ${score}  ${said}`);
    assert.match(rows[0]?.id, /^edgar-/, "the same voice in another language");
    say("\n6. How far voices agree: of the five nearest to each of the 36 messages");
    const agreements = (await client.query(agreementSql)).rows;
    const english = agreements.filter(({ language }) => language === "en");
    const foreign = agreements.filter(({ language }) => language !== "en");
    say(
      `   ${shareOf(english)} are the same speaker where it is English, ${shareOf(foreign)} where it is German or French`,
    );
    assert(
      english.every(({ agreement }) => agreement >= 0.6),
      "a voice is nearest to itself",
    );
  } finally {
    await client.end();
  }
}

function shareOf(rows: readonly { agreement: number }[]): string {
  const mean = rows.reduce((sum, { agreement }) => sum + agreement, 0) / rows.length;
  return `${(100 * mean).toFixed(0)} % (of ${rows.length} messages)`;
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
    "1. Postgres with pgvector, a queue, a voice model, a text model and two encoders, all in this process",
  );
  await using deployment = await openDeployment({ collections, settings });
  await deployment.runStages(["embed", "index"]);
  say(`   ready after ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  say("\n2. 36 messages by six voices, into one vector each");
  await load(deployment);
  say("\n3. Who is it? A clip of each voice that is in no record, and the five nearest");
  await recognise(deployment);
  say('\n4. One question, four weightings: the voice of queries/susan.opus, "you still owe money"');
  await weigh(deployment);
  say("\n5. The same from SQL: the voice of an English message, in other languages");
  await showSql(deployment.database.connectionString);
}
const rssMb = process.resourceUsage().maxRSS / 1024;
say(
  `\ndone in ${((performance.now() - startMs) / 1000).toFixed(0)} s; at most ${rssMb.toFixed(0)} MB of memory`,
);
