import { migrate, openPool, openPostgresStore } from "@medley/store";
import { OwnDatabase } from "../own-database.ts";
import type { ManyFilms } from "./many-films.ts";
import { openServers } from "./servers.ts";
import type { Weights } from "./weight-sweep.ts";

const rowsPerStatement = 500;

/** A database of these films without an index, dropped with the resources. Returns its address. */
export async function openFilmDatabase(films: ManyFilms, resources: AsyncDisposableStack): Promise<string> {
  const { databaseUrl } = await openServers();
  const database = resources.use(await OwnDatabase.create(databaseUrl));
  await using loading = new AsyncDisposableStack();
  const pool = openPool({ connectionString: database.url });
  loading.adopt(pool, (open) => open.end());
  await migrate(pool, [films]);
  const store = await openPostgresStore({ pool, collections: [films] });
  for (let at = 0; at < films.rows.length; at += rowsPerStatement) {
    await store.writeRows("films", films.rows.slice(at, at + rowsPerStatement), null);
  }
  await pool.query("vacuum (analyze) medley_internal.films_g1");
  return database.url;
}

/** Of each connection, those that the pool opens later and that of the analysis among them. */
export function withoutWorkers(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.searchParams.set("options", "-c max_parallel_workers_per_gather=0");
  return url.href;
}

/** Queries of plot, year, cast and release of one film and genres of another, as SQL takes them; each asks for something. */
export function filmQueries(
  { rows, layout }: ManyFilms,
  {
    weights,
    count,
    random,
  }: { readonly weights: Weights; readonly count: number; readonly random: () => number },
): string[] {
  const draw = () => (rows[Math.floor(random() * rows.length)] as (typeof rows)[0]).vector;
  const queries: string[] = [];
  while (queries.length < count) {
    const [one, other] = [draw(), draw()];
    const values = layout.flatMap(({ space, offset, dimensions }, at) => {
      const segment = (space === "genres" ? other : one).subarray(offset, offset + dimensions);
      return Array.from(segment, (x) => x * (weights[at] as number));
    });
    // The films drawn may have nothing in the spaces that count.
    if (values.some((x) => x !== 0)) queries.push(JSON.stringify(values));
  }
  return queries;
}
