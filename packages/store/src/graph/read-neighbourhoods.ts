import { createHash } from "node:crypto";
import {
  type GenerationOf,
  type Neighbour,
  type Neighbourhood,
  type NodeInput,
  segmentHashBytes,
} from "@medley/core";
import type pg from "pg";
import { type GraphSpace, graphName } from "../migrations/graph-tables.ts";
import { rowTable } from "../migrations/row-tables.ts";
import { readHalfvec } from "../rows/binary-array.ts";
import type { VectorTypes } from "../rows/columns.ts";

/** Neighbours that are heard of a node, and of each of these: those of Hamilton, Ying & Leskovec 2017, §4.4. */
export const neighboursMax = [25, 10] as const;

/** `edges` as they are given, and those of rows that lead to the node. */
const givenEdgesSql = `select at.id, near.other, near.weight
from unnest($2::text[], $3::text[]) as at (id, edges) cross join lateral (
  select other, sum(weight) as weight from (
    select key as other, value::float8 as weight from jsonb_each_text(at.edges::jsonb)
    union all
    (select source, weight from medley_internal.graph_edge
      where graph = $1 and target = at.id and source <> at.id order by draw, source limit $4)
  ) as edge group by other
  order by medley_internal.graph_draw(at.id, other), other collate "C" limit $4
) as near`;

const storedEdgesSql = `select at.id, near.other, near.weight
from unnest($2::text[]) as at (id) cross join lateral (
  select other, sum(weight) as weight from (
    select target as other, weight, draw from medley_internal.graph_edge where graph = $1 and source = at.id
    union all
    (select source, weight, draw from medley_internal.graph_edge
      where graph = $1 and target = at.id and source <> at.id order by draw, source limit $3)
  ) as edge group by other
  order by min(draw), other collate "C" limit $3
) as near`;

interface EdgeRow {
  readonly id: string;
  readonly other: string;
  readonly weight: number;
}

/** What a neighbour is made of; null: its row is a tombstone. */
type Speaker = { readonly features: Float32Array; readonly hash: string } | null;

export interface NeighbourhoodsAsked {
  readonly of: GenerationOf;
  readonly space: GraphSpace;
  readonly types: VectorTypes;
  readonly nodes: readonly Pick<NodeInput, "id" | "edges">[];
}

/** See `NeighbourhoodReader`. Three statements, whatever the number of nodes; a row is read once for all that hear it. */
export async function readNeighbourhoods(
  pool: pg.Pool,
  { of, space, types, nodes }: NeighbourhoodsAsked,
): Promise<ReadonlyMap<string, Neighbourhood>> {
  if (nodes.length === 0) return new Map();
  const graph = graphName(of.collection, of.generation, space.field);
  const edges = nodes.map((node) => JSON.stringify(node.edges));
  const given = [graph, nodes.map(({ id }) => id), edges, neighboursMax[0]];
  const near = byNode((await pool.query<EdgeRow>(givenEdgesSql, given)).rows);
  const others = [...new Set([...near.values()].flat().map(({ other }) => other))];
  const asked = [graph, others, neighboursMax[1]];
  const far = others.length === 0 ? near : byNode((await pool.query<EdgeRow>(storedEdgesSql, asked)).rows);
  const heard = new Set([...others, ...[...far.values()].flat().map(({ other }) => other)]);
  const speakers = await readSpeakers(pool, { of, space, types }, [...heard]);
  return new Map(
    nodes.map(({ id }) => {
      const read = neighbourhoodOf(near.get(id) ?? [], speakers, (other) => far.get(other) ?? []);
      return [id, { neighbours: read.neighbours, state: digestOf(read.told) }];
    }),
  );
}

function byNode(rows: readonly EdgeRow[]): ReadonlyMap<string, readonly EdgeRow[]> {
  const map = new Map<string, EdgeRow[]>();
  for (const row of rows) {
    const list = map.get(row.id);
    if (list === undefined) map.set(row.id, [row]);
    else list.push(row);
  }
  for (const list of map.values()) list.sort((a, b) => (a.other < b.other ? -1 : 1));
  return map;
}

async function readSpeakers(
  pool: pg.Pool,
  { of, space: { features }, types }: Omit<NeighbourhoodsAsked, "nodes">,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Speaker>> {
  if (ids.length === 0) return new Map();
  const parts = features.map(({ offset, dimensions }, index) => {
    const part = `${types.schema}.subvector(embedding, ${offset + 1}, ${dimensions})`;
    return `${types.schema}.halfvec_send(${part}) as f${index}`;
  });
  const hashes = features.map(
    ({ hashOffset }) => `substr(segment_hashes, ${hashOffset + 1}, ${segmentHashBytes})`,
  );
  const { rows } = await pool.query<Readonly<Record<string, unknown>>>(
    `select id, deleted_at is not null as deleted, encode(${hashes.join(" || ")}, 'hex') as hash, ${parts.join(", ")}
from ${rowTable(of.collection, of.generation)} where id = any ($1::text[])`,
    [ids],
  );
  return new Map(
    rows.map((row): [string, Speaker] => {
      if (row.deleted === true) return [row.id as string, null];
      // Not views: what crosses to a thread takes its whole buffer with it.
      const values = features.flatMap((_, index) => [...readHalfvec(row[`f${index}`] as Buffer)]);
      return [row.id as string, { features: Float32Array.from(values), hash: row.hash as string }];
    }),
  );
}

/** `told`: what tells one neighbourhood from another. */
function neighbourhoodOf(
  edges: readonly EdgeRow[],
  speakers: ReadonlyMap<string, Speaker>,
  edgesOf: (id: string) => readonly EdgeRow[],
): { readonly neighbours: readonly Neighbour[]; readonly told: readonly unknown[] } {
  const neighbours: Neighbour[] = [];
  const told: unknown[] = [];
  for (const { other, weight } of edges) {
    const speaker = speakers.get(other);
    if (speaker === null) continue;
    const further = neighbourhoodOf(edgesOf(other), speakers, () => []);
    neighbours.push({
      ...{ id: other, weight, neighbours: further.neighbours },
      features: speaker?.features ?? null,
    });
    told.push([other, weight, speaker?.hash ?? null, further.told]);
  }
  return { neighbours, told };
}

function digestOf(told: readonly unknown[]): Uint8Array {
  return createHash("sha256").update(JSON.stringify(told)).digest();
}
