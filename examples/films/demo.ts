import { existsSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  backfill,
  type Deployment,
  hitTable,
  loadConfig,
  openDeployment,
  openSource,
  readSettings,
} from "medley";
import pg from "pg";
import { progressTo } from "./demo-progress.ts";

// The main job, whole and embedded: films from a file to weighted, explained search in SQL. `npm run demo` runs it.
const here = fileURLToPath(new URL(".", import.meta.url));
const dataDir = `${here}.medley`;
const say = (text: string) => process.stdout.write(`${text}\n`);

async function load(deployment: Deployment): Promise<void> {
  const path = `${here}films.jsonl.gz`;
  const source = await openSource(path);
  const total = (await source.total()) ?? 0;
  const startMs = performance.now();
  const progress = progressTo(process.stderr, total);
  const { progress: counts } = await backfill({
    deployment,
    collection: "films",
    source,
    path,
    onProgress: ({ indexed }) => progress(indexed),
  });
  const seconds = (performance.now() - startMs) / 1000;
  const { encodedByModel } = deployment.counters.segments;
  say(
    `   ${counts.indexed} films indexed in ${seconds.toFixed(1)} s (${(counts.indexed / seconds).toFixed(0)} records/s),`,
  );
  say(
    `   ${encodedByModel} plots by all-MiniLM-L6-v2 on this machine; each film is one vector of 625 dimensions`,
  );
}

const heist = {
  plot: "a gang of thieves plans one last heist",
  genres: ["Comedy"],
  year: 2005,
  cast: ["George Clooney"],
};

async function search(
  deployment: Deployment,
  title: string,
  weights: Record<string, number>,
  k = 5,
): Promise<void> {
  const hits = await deployment.search("films", { parts: heist, weights, k });
  say(
    `\n   ${title}: ${Object.entries(weights)
      .map(([space, weight]) => `${space} ${weight}`)
      .join(", ")}`,
  );
  say(indent(hitTable(hits, Object.keys(weights))));
}

async function ask(deployment: Deployment, sentence: string): Promise<void> {
  const { query } = await deployment.understand(deployment.collection("films").collection, sentence);
  say(`\n   ${sentence}\n   -> ${JSON.stringify(query)}`);
  const hits = await deployment.search("films", { ...query, k: 3 });
  say(indent(hitTable(hits, [...Object.keys(query.parts ?? {}), ...Object.keys(query.texts ?? {})])));
}

async function changeAndDelete(deployment: Deployment): Promise<void> {
  const query = { parts: { plot: heist.plot }, weights: { plot: 1 }, k: 3 };
  const [first] = await deployment.search("films", query);
  const id = first?.id ?? "";
  const newcomer = {
    id: "The_Demo_Job",
    title: "The Demo Job",
    year: 2026,
    genres: ["Comedy"],
    cast: ["George Clooney"],
    plot: heist.plot,
  };
  const startMs = performance.now();
  await deployment.ingest("films", [newcomer, { id, _op: "delete" }]);
  await deployment.settled();
  const ms = (performance.now() - startMs).toFixed(0);
  say(`   added "The Demo Job", deleted "${first?.fields.title}"; in the index after ${ms} ms:`);
  say(indent(hitTable(await deployment.search("films", query), ["plot"])));
}

const sql = `select f.title, f.year, round(s.score::numeric, 3) as score, s.contributions
from medley.search(
  'films',
  medley.query('films', '{"genres": ["Western"], "year": 1995}', '{"genres": 2, "year": 1}', "like" => 'Unforgiven'),
  k => 3, filter => '{"year": {"gte": 1990}}'
) s join medley.films f using (id) order by s.score desc`;

async function showSql(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query(sql);
    say(indent(sql));
    for (const row of rows)
      say(`   -> ${row.title} (${row.year})  ${row.score}  ${JSON.stringify(row.contributions)}`);
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
  say("1. Postgres with pgvector, a queue, a text model and four encoders, all in this process");
  await using deployment = await openDeployment({ collections, settings });
  await deployment.runStages(["embed", "index"]);
  say(`   ready after ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  say("\n2. 2,500 films from a file into one vector each");
  await load(deployment);
  say(`\n3. One question, three weightings: ${JSON.stringify(heist)}`);
  await search(deployment, "the story counts", { plot: 3, genres: 0.5, year: 0.2, cast: 0.2 });
  await search(deployment, "the genre and the year count", { plot: 0.3, genres: 2, year: 1, cast: 0 });
  await search(deployment, "who plays counts, comedies are unwelcome", {
    plot: 1,
    genres: -1,
    year: 0,
    cast: 2,
  });
  say("\n4. Sentences, read by rules; what stands in quotes is looked for as it stands, too");
  await ask(deployment, "recent science fiction about lonely robots, no comedy");
  await ask(deployment, 'lonely robots, "Isaac Asimov"');
  say("\n5. The index is live");
  await changeAndDelete(deployment);
  say('\n6. The same from SQL, by any driver: like "Unforgiven", but as a Western of the nineties');
  await showSql(deployment.database.connectionString);
}
const rssMb = process.resourceUsage().maxRSS / 1024;
say(
  `\ndone in ${((performance.now() - startMs) / 1000).toFixed(0)} s; at most ${rssMb.toFixed(0)} MB of memory`,
);
say(`\nLook around:  cd examples/films && npx medley up
              psql postgresql://postgres@127.0.0.1:7432/postgres -c "select title, year from medley.films limit 5"
              npx medley search films --plot "robots" --weight plot=2 --explain`);
