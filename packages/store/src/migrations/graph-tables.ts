import { type Collection, featuresOfSpace, type SegmentLayout, segmentHashBytes } from "@medley/core";
import pg from "pg";
import { rowTable, tableName } from "./row-tables.ts";

const { escapeIdentifier, escapeLiteral } = pg;

/** Where a segment lies in a row: in the vector, and its hash among the hashes, from 0. */
export interface SegmentPlace {
  readonly offset: number;
  readonly dimensions: number;
  readonly hashOffset: number;
}

/** A GraphSAGE space: its segment, and those of the spaces that it reads, in the order in which it names them. */
export interface GraphSpace {
  readonly space: string;
  readonly field: string;
  readonly features: readonly SegmentPlace[];
  readonly own: SegmentPlace;
}

/** A field of edges that GraphSAGE spaces read, as the catalogue keeps it. `hashOffsets`: of segments that other records hear of. */
export interface FollowedGraph {
  readonly field: string;
  readonly hashOffsets: readonly number[];
  /** Of segments that are made of what is heard. */
  readonly ownHashOffsets: readonly number[];
}

export function graphSpaces(collection: Collection, layout: readonly SegmentLayout[]): readonly GraphSpace[] {
  const placeOf = (name: string): SegmentPlace => {
    const index = layout.findIndex(({ space }) => space === name);
    const { offset, dimensions } = layout[index] as SegmentLayout;
    return { offset, dimensions, hashOffset: index * segmentHashBytes };
  };
  return collection.spaces.flatMap(({ name, fields, definition }) => {
    const features = featuresOfSpace(definition);
    if (features.length === 0) return [];
    return [{ space: name, field: fields[0] as string, features: features.map(placeOf), own: placeOf(name) }];
  });
}

export function followedGraphs(
  collection: Collection,
  layout: readonly SegmentLayout[],
): readonly FollowedGraph[] | null {
  const spaces = graphSpaces(collection, layout);
  if (spaces.length === 0) return null;
  const fields = [...new Set(spaces.map(({ field }) => field))];
  const ascending = (offsets: readonly number[]) => [...new Set(offsets)].sort((a, b) => a - b);
  return fields.map((field) => {
    const readers = spaces.filter((space) => space.field === field);
    const heard = readers.flatMap(({ features }) => features.map(({ hashOffset }) => hashOffset));
    return {
      field,
      hashOffsets: ascending(heard),
      ownHashOffsets: ascending(readers.map(({ own }) => own.hashOffset)),
    };
  });
}

/** The graph's name in the tables of 0008-graphs.sql: each generation's rows have one of their own. */
export function graphName(collection: string, generation: number, field: string): string {
  return `${tableName(collection, generation)}.${field}`;
}

/** How far GraphSAGE's two layers hear. */
const layers = 2;

/**
 * Lets triggers follow a collection's graphs; where it has rows, their edges are taken as they are and each counts as changed. A row
 * counts only where its version changed: a refresh writes none, so it sets off no other.
 */
export function followSql(
  collection: string,
  generation: number,
  graphs: readonly FollowedGraph[] | null,
): string {
  if (graphs === null) return "";
  const column = `alter table ${rowTable(collection, generation)} add column if not exists _refresh_number bigint not null default 0;`;
  return [column, ...graphs.map((graph) => followGraphSql(collection, generation, graph))].join("\n");
}

function followGraphSql(collection: string, generation: number, graph: FollowedGraph): string {
  const table = rowTable(collection, generation);
  const field = escapeIdentifier(graph.field);
  const name = escapeLiteral(graphName(collection, generation, graph.field));
  const trigger = escapeIdentifier(`${graph.field}_graph`);
  const called = `medley_internal.${escapeIdentifier(`${tableName(collection, generation)}_${graph.field}`)}`;
  const differ = (offsets: readonly number[]) =>
    offsets.map((offset) => {
      const hash = (row: string) => `substr(${row}.segment_hashes, ${offset + 1}, ${segmentHashBytes})`;
      return `${hash("old")} is distinct from ${hash("new")}`;
    });
  const gone = (row: string) => `(${row}.deleted_at is null)`;
  const isHeard = [
    `old.${field} is distinct from new.${field}`,
    `${gone("old")} <> ${gone("new")}`,
    ...differ(graph.hashOffsets),
  ].join(" or ");
  const hears = differ(graph.ownHashOffsets).join(" or ");
  return `create or replace function ${called}() returns trigger language plpgsql as $$
declare
  hops int := ${layers};
begin
  if tg_op = 'UPDATE' then
    if old.version = new.version then return null; end if;
    if not (${isHeard}) then
      if not (${hears}) then return null; end if;
      hops := 0;
    end if;
  end if;
  perform medley_internal.graph_changed(${name}, new.id, case when new.deleted_at is null then new.${field} end, hops);
  return null;
end $$;
drop trigger if exists ${trigger} on ${table};
create trigger ${trigger} after insert or update on ${table} for each row execute function ${called}();
select medley_internal.graph_changed(${name}, id, ${field}, ${layers}) from ${table} where deleted_at is null;`;
}
