import { strict as assert } from "node:assert";
import { Random } from "@medley/core";
import pg from "pg";
import { candidatesWanted, type Findings, type Rung } from "./learn-plans.ts";
import type { Weighting } from "./weightings.ts";

/** A path whose index is there, as medley_internal.path_candidates takes it. */
export interface MeasuredPath {
  readonly place: number;
  readonly space: string | null;
  readonly kind: "fused" | "graph" | "ordered" | "inverted";
  readonly start: number;
  readonly dimensions: number;
  /** Of a graph, over how many dimensions of which spaces, by place, where they are fewer. */
  readonly shortened: Readonly<Record<string, number>>;
}

interface SpaceRange {
  readonly name: string;
  readonly start: number;
  readonly dimensions: number;
}

/** How deep each kind of path is looked into. */
const ladders = {
  fused: [40, 60, 80, 120, 160, 240, 320],
  graph: [40, 80, 160, 320, 640],
  ordered: [100, 500, 2_000],
  inverted: [200, 1_000, 5_000],
};
const sampledRowsMax = 256;
/** Of a cosine: rows whose scores differ by less are equals, since rows are stored so. */
const halfPrecision = 2 ** -11;
/** Of one space's path all rows are listed: the best of them are others at each weighting. */
const listedMax = 1_000_000;
/** So often each rung is timed. */
const timings = 16;
/** So many queries are drawn for one that asks for something of a space. */
const drawsMax = 20;

/** A query, unweighted, and what all rows score with it, space by space. */
export interface SampledQuery {
  /** Whose session looks for it. */
  readonly client: pg.Client;
  readonly segments: readonly Float32Array[];
  /** Per space, whether the segment is of the one row that others may be of, too. */
  readonly areShared: readonly boolean[];
  /** Per space, by row. */
  readonly scores: readonly Float32Array[];
  /** Per rung of a path of one space, the rows read, where the space's weight is above 0 and below. */
  readonly lists: ReadonlyMap<number, { readonly near: Int32Array; readonly far: Int32Array }>;
}

interface Step {
  readonly path: MeasuredPath;
  readonly depth: number;
}

/** The rows of one generation of a collection. */
export interface AnalysedRows {
  readonly collection: string;
  readonly generation: number;
  /** In schema medley_internal. */
  readonly table: string;
  /** Of those that are live, as SQL names it. */
  readonly view: string;
}

/** Default: of the generation that is live. */
export async function readAnalysed(
  client: pg.Client,
  collection: string,
  generation: number | undefined,
): Promise<AnalysedRows> {
  const { rows } = await client.query<Omit<AnalysedRows, "collection">>(
    `select found.generation, found.live_table as table, format('medley_internal.%I', medley_internal.rows_view(found)) as view
from medley_internal.as_generation($1, $2) as found`,
    [collection, generation ?? null],
  );
  return { collection, ...(rows[0] as (typeof rows)[0]) };
}

export async function readPaths(
  client: pg.Client,
  { collection, generation }: AnalysedRows,
): Promise<readonly MeasuredPath[]> {
  const { rows } = await client.query<{ paths: readonly MeasuredPath[] }>(
    "select medley_internal.open_paths(found) as paths from medley_internal.as_generation($1, $2) as found",
    [collection, generation],
  );
  return rows[0]?.paths ?? [];
}

/**
 * The rows of a collection as one snapshot sees them, numbered in the order of a scan, which is the same for each scan of the snapshot.
 * Every client's session has the snapshot, so that each can look for a query while another looks for another.
 * States: open (a transaction is, in each session) -> disposed. Bounds: a query's scores take 4 bytes per row and space, and one query per
 * session is held.
 */
export class SampledRows implements AsyncDisposable {
  readonly spaces: readonly SpaceRange[];
  readonly random: () => number;
  /** Of the rows' vectors. */
  readonly mean: readonly number[];
  readonly #clients: readonly pg.Client[];
  readonly #of: AnalysedRows;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #sample: readonly Float32Array[];
  readonly #steps: readonly Step[];
  #open = true;

  private constructor(
    clients: readonly pg.Client[],
    of: AnalysedRows,
    paths: readonly MeasuredPath[],
    read: {
      spaces: readonly SpaceRange[];
      numbers: ReadonlyMap<string, number>;
      sample: readonly Float32Array[];
      random: () => number;
      mean: readonly number[];
    },
  ) {
    this.#clients = clients;
    this.#of = of;
    this.spaces = read.spaces;
    this.#numbers = read.numbers;
    this.#sample = read.sample;
    this.random = read.random;
    this.mean = read.mean;
    this.#steps = paths.flatMap((path) => ladders[path.kind].map((depth) => ({ path, depth })));
  }

  static async open(
    clients: readonly pg.Client[],
    of: AnalysedRows,
    paths: readonly MeasuredPath[],
  ): Promise<SampledRows> {
    const { collection, generation, view } = of;
    const [client] = clients as readonly [pg.Client];
    await beginWithOneSnapshot(clients);
    const { rows: spaces } = await client.query<SpaceRange>(
      `select segment.name, start, segment.dimensions from medley_internal.as_generation($1, $2) as found,
medley_internal.segments(found) as segment order by start`,
      [collection, generation],
    );
    const { rows } = await client.query<{ id: string }>(`select id from ${view} where embedding is not null`);
    const generator = new Random(rows.length);
    const random = () => generator.uniform();
    const ids = Array.from(
      { length: Math.min(sampledRowsMax, rows.length) },
      () => (rows[Math.floor(random() * rows.length)] as { id: string }).id,
    );
    const { rows: sampled } = await client.query<{ embedding: number[] }>(
      `select embedding::vector::real[] as embedding from ${view} where id = any ($1) order by id`,
      [ids],
    );
    const numbers = new Map(rows.map(({ id }, number) => [id, number]));
    const sample = sampled.map(({ embedding }) => Float32Array.from(embedding));
    const { rows: means } = await client.query<{ mean: number[] | null }>(
      `select avg(embedding)::vector::real[] as mean from ${view}`,
    );
    const mean = means[0]?.mean ?? [];
    return new SampledRows(clients, of, paths, { spaces, numbers, sample, random, mean });
  }

  get rowsCount(): number {
    return this.#numbers.size;
  }

  /** With what all rows score. What it asks for depends on nothing but how many were drawn before. */
  async nextQuery(client: pg.Client): Promise<SampledQuery> {
    const { segments, areShared } = this.#drawnSegments();
    const scores = await this.#scores(client, segments);
    const lists = new Map<number, { near: Int32Array; far: Int32Array }>();
    for (const [rung, { path }] of this.#steps.entries()) {
      if (path.kind === "fused") continue;
      const [near, far] = [
        await this.#list(client, rung, segments, 1),
        await this.#list(client, rung, segments, -1),
      ];
      lists.set(rung, { near, far });
    }
    return { client, segments, areShared, scores, lists };
  }

  /** Which of the `wanted` best rows each rung finds; the weighted query asks for something. */
  async findingsOf(query: SampledQuery, weights: Weighting, wanted: number): Promise<Findings> {
    const totals = totalsOf(query.scores, weights);
    const least = leastOfBest(totals, wanted) - halfPrecision * Math.hypot(...weights);
    const found: number[][] = [];
    for (const [rung, { path, depth }] of this.#steps.entries()) {
      const shallower = found[rung - 1];
      const isDeeper = depth > (this.#steps[rung - 1]?.depth ?? depth);
      // Deeper there is no more to find.
      if (isDeeper && shallower?.length === wanted) {
        found.push(shallower);
        continue;
      }
      const list = await this.#listOf(rung, path, query, weights);
      found.push(firstAtLeast(least, list, { totals, wanted }));
    }
    return found;
  }

  /** Each time by another query, as searches are: what one has read is read again several times as fast. */
  async timedRungs(weightings: readonly Weighting[]): Promise<Rung[]> {
    const times: number[][] = this.#steps.map(() => []);
    const [client] = this.#clients as readonly [pg.Client];
    for (let round = 0; round < timings; round++) {
      for (const [rung, { path }] of this.#steps.entries()) {
        const weights = weightings[Math.floor(this.random() * weightings.length)];
        let { segments } = this.#drawnSegments();
        for (let draw = 1; draw < drawsMax && isZero(segments, path); draw++)
          ({ segments } = this.#drawnSegments());
        const startedMs = performance.now();
        await this.#list(client, rung, segments, 1, path.kind === "fused" ? weights : undefined);
        times[rung]?.push(performance.now() - startedMs);
      }
    }
    return this.#steps.map(({ path, depth }, rung) => ({
      place: path.place,
      depth,
      ms: usualOf(times[rung] as number[]),
    }));
  }

  /** Per space, 1 where the query lies on the side of the rows' mean, -1 on the other, 0 where it says nothing of it. */
  sidesOf({ segments }: SampledQuery): number[] {
    return this.spaces.map(({ start }, at) => {
      const segment = segments[at] as Float32Array;
      if (segment.every((x) => x === 0)) return 0;
      return segment.reduce((sum, x, i) => sum + x * (this.mean[start - 1 + i] as number), 0) < 0 ? -1 : 1;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await Promise.all(this.#clients.map((client) => client.query("rollback").catch(() => {})));
  }

  async #listOf(
    rung: number,
    { kind, place }: MeasuredPath,
    { client, segments, lists }: SampledQuery,
    weights: Weighting,
  ): Promise<Int32Array> {
    const ofSpace = lists.get(rung);
    if (kind === "fused" || ofSpace === undefined) return this.#list(client, rung, segments, 1, weights);
    const weight = weights[place - 1] as number;
    if (weight === 0) return new Int32Array(0);
    return weight > 0 ? ofSpace.near : ofSpace.far;
  }

  /** A row, any share of whose segments are other rows': people ask for what is like a row, and for what is in none as a whole. */
  #drawnSegments(): Pick<SampledQuery, "segments" | "areShared"> {
    const drawn = this.#drawn();
    const share = this.random();
    const parts = this.spaces.map(({ start, dimensions }) => {
      const isShared = this.random() >= share;
      const row = isShared ? drawn : this.#drawn();
      return { segment: row.subarray(start - 1, start - 1 + dimensions), isShared };
    });
    return {
      segments: parts.map(({ segment }) => segment),
      areShared: parts.map(({ isShared }) => isShared),
    };
  }

  #drawn(): Float32Array {
    return this.#sample[Math.floor(this.random() * this.#sample.length)] as Float32Array;
  }

  async #scores(client: pg.Client, segments: readonly Float32Array[]): Promise<Float32Array[]> {
    const columns = this.spaces.map(
      ({ start, dimensions }, at) =>
        `string_agg(float4send((-(subvector(embedding, ${start}, ${dimensions}) <#> $${at + 1}::halfvec))::float4), '') as s${at}`,
    );
    const { rows } = await client.query<Record<string, Buffer>>(
      `select ${columns.join(", ")} from ${this.#of.view} where embedding is not null`,
      segments.map(vectorText),
    );
    return this.spaces.map((_, at) => {
      const bytes = rows[0]?.[`s${at}`] as Buffer;
      assert.equal(bytes.length, 4 * this.rowsCount, "a score per row of the snapshot");
      return Float32Array.from({ length: this.rowsCount }, (_, row) => bytes.readFloatBE(4 * row));
    });
  }

  async #list(
    client: pg.Client,
    rung: number,
    segments: readonly Float32Array[],
    sign: 1 | -1,
    weights?: Weighting,
  ): Promise<Int32Array> {
    const { path, depth } = this.#steps[rung] as Step;
    const query = segments.flatMap((segment, at) =>
      Array.from(segment, (x) => x * sign * (weights?.[at] ?? 1)),
    );
    const { space: _space, ...rest } = path;
    const wanted = path.kind === "fused" ? candidatesWanted : listedMax;
    const { rows } = await client.query<{ ids: string[] | null }>({
      text: `select ids from medley_internal.as_generation($1, $5) as found, (select $3::vector as query) as asked,
medley_internal.path_candidates(found, $2::jsonb, query, l2_normalize(query)::halfvec, $4, 'true', null)`,
      values: [
        this.#of.collection,
        JSON.stringify({ ...rest, depth }),
        vectorText(query),
        wanted,
        this.#of.generation,
      ],
    });
    return Int32Array.from(rows[0]?.ids ?? [], (id) => this.#numbers.get(id) as number);
  }
}

async function beginWithOneSnapshot([first, ...others]: readonly pg.Client[]): Promise<void> {
  assert(first !== undefined);
  // So that each scan gives the rows in one order.
  const orderSql = "set local synchronize_seqscans = off; set local max_parallel_workers_per_gather = 0";
  const beginSql = "begin isolation level repeatable read, read only";
  await first.query(`${beginSql}; ${orderSql}`);
  if (others.length === 0) return;
  const { rows } = await first.query<{ snapshot: string }>("select pg_export_snapshot() as snapshot");
  const snapshot = pg.escapeLiteral(rows[0]?.snapshot as string);
  for (const client of others)
    await client.query(`${beginSql}; set transaction snapshot ${snapshot}; ${orderSql}`);
}

function isZero(segments: readonly Float32Array[], { place }: MeasuredPath): boolean {
  return (place === 0 ? segments : [segments[place - 1] as Float32Array]).every((segment) =>
    segment.every((x) => x === 0),
  );
}

function vectorText(values: ArrayLike<number>): string {
  return `[${Array.from(values).join(",")}]`;
}

function totalsOf(scores: readonly Float32Array[], weights: Weighting): Float64Array {
  const totals = new Float64Array((scores[0] as Float32Array).length);
  for (const [at, ofSpace] of scores.entries()) {
    const weight = weights[at] as number;
    if (weight === 0) continue;
    for (let row = 0; row < totals.length; row++)
      totals[row] = (totals[row] as number) + weight * (ofSpace[row] as number);
  }
  return totals;
}

/** The lowest of the `count` highest. */
function leastOfBest(totals: Float64Array, count: number): number {
  const best = totals.slice(0, count).sort();
  for (let row = best.length; row < totals.length; row++) {
    const total = totals[row] as number;
    if (total <= (best[0] as number)) continue;
    let at = 0;
    while (at + 1 < best.length && (best[at + 1] as number) < total) {
      best[at] = best[at + 1] as number;
      at += 1;
    }
    best[at] = total;
  }
  return best[0] ?? 0;
}

function firstAtLeast(
  least: number,
  list: Int32Array,
  { totals, wanted }: { readonly totals: Float64Array; readonly wanted: number },
): number[] {
  const rows: number[] = [];
  for (const row of list) {
    if ((totals[row] as number) >= least) rows.push(row);
    if (rows.length === wanted) break;
  }
  return rows;
}

/** The lower quartile: what else the machine does makes some longer, what a query asks for some shorter. */
export function usualOf(timesMs: readonly number[]): number {
  return [...timesMs].sort((a, b) => a - b)[Math.floor(timesMs.length / 4)] ?? 0;
}
