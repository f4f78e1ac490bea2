import {
  type Collection,
  canonicalJson,
  hasArtefact,
  isTunedSpace,
  labelColumnsOf,
  MedleyError,
  type Profiles,
  type SegmentLayout,
  type Space,
  vectorDimensions,
} from "@medley/core";
import pg from "pg";
import { type FollowedGraph, followedGraphs, followSql } from "./graph-tables.ts";
import { matchFunction, matchFunctionSql } from "./match-function.ts";
import type { MigrationStep } from "./migrate.ts";

const { escapeIdentifier, escapeLiteral } = pg;

/** A collection and where its segments lie: known once its encoders are open. */
export interface CollectionLayout {
  readonly collection: Collection;
  readonly layout: readonly SegmentLayout[];
}

/** A row of medley_internal.collections. */
export interface CatalogueRow {
  readonly name: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly spaces: readonly StoredSpace[];
  readonly weights: Readonly<Record<string, number>>;
  readonly live_table: string;
  /** Null: the collection takes no events of users. */
  readonly profiles: Profiles | null;
  /** Null: no space hears of neighbours. */
  readonly graphs: readonly FollowedGraph[] | null;
}

interface StoredSpace {
  readonly name: string;
  readonly offset: number;
  readonly dimensions: number;
  readonly identity: string;
  /** As configured; absent where the space is not tuned, and then has no columns for labels. */
  readonly tuned?: unknown;
}

/** A collection as a database has it. */
export interface StoredCollection extends CatalogueRow {
  /** Of its table, in their order. */
  readonly columns: readonly string[];
  /** Those of its own in schema medley. */
  readonly functions: readonly string[];
}

/** The table of a collection's rows, quoted. One generation for now. */
export function liveTable(collection: string): string {
  return `medley_internal.${escapeIdentifier(`${collection}_g1`)}`;
}

/** What brings the database's tables of one collection to the configured one. Throws `MedleyError` `schema_conflict`. */
export function planCollection(
  configured: CollectionLayout,
  stored: StoredCollection | undefined,
  vectorSchema: string,
): readonly MigrationStep[] {
  const catalogue = catalogueRow(configured);
  if (stored === undefined) {
    return [{ name: `collection ${catalogue.name}`, sql: createSql(configured, catalogue, vectorSchema) }];
  }
  refuseConflicts(configured, stored);
  const typed = typedColumns(configured.collection, vectorSchema);
  const added = typed.filter(({ name }) => !stored.columns.includes(name));
  const same = canonicalJson(searchPart(stored)) === canonicalJson(searchPart(catalogue));
  const rest = [
    ...(canonicalJson(stored.graphs) === canonicalJson(catalogue.graphs) ? [] : followStep(catalogue)),
    ...(stored.functions.includes(matchFunction(stored.name)) ? [] : [matchStep(stored.name, vectorSchema)]),
  ];
  if (added.length === 0 && same) return rest;
  const columns = added.map(({ definition }) => `add column ${definition}`);
  const alterTable = `alter table ${liveTable(catalogue.name)}\n  ${columns.join(",\n  ")};`;
  const kept = stored.columns.filter((column) => typed.some(({ name }) => name === column));
  return [
    {
      name: `collection ${catalogue.name}: ${added.length === 0 ? "search settings" : namesOf(added)}`,
      sql: [
        ...(added.length === 0 ? [] : [alterTable]),
        viewSql(catalogue.name, [...kept, ...added.map(({ name }) => name)]),
        `update medley_internal.collections set fields = ${json(catalogue.fields)}, spaces = ${json(catalogue.spaces)},
  weights = ${json(catalogue.weights)}, profiles = ${orNull(catalogue.profiles)} where name = ${escapeLiteral(catalogue.name)};`,
      ].join("\n"),
    },
    ...rest,
  ];
}

/** Of a collection from before there was such a function. */
function matchStep(collection: string, vectorSchema: string): MigrationStep {
  const sql = matchFunctionSql(collection, vectorSchema);
  return { name: `collection ${collection}: ${matchFunction(collection)}`, sql };
}

/** What is new, for whoever reads what a migration does. */
function namesOf(added: readonly TypedColumn[]): string {
  const part = (of: TypedColumn["of"]) => {
    const names = added.filter((column) => column.of === of).map(({ name }) => name);
    return names.length === 0 ? [] : [`new ${of} ${names.join(", ")}`];
  };
  return [...part("field"), ...part("label")].join("; ");
}

/** Of a collection that is there: its rows are all to be encoded anew in these spaces, where their neighbours say something else. */
function followStep({ name, graphs }: CatalogueRow): readonly MigrationStep[] {
  const catalogued = `update medley_internal.collections set graphs = ${orNull(graphs)} where name = ${escapeLiteral(name)};`;
  const sql = `${followSql(name, liveTable(name), graphs ?? [])}\n${catalogued}`;
  return [{ name: `collection ${name}: neighbours`, sql }];
}

function searchPart({
  fields,
  spaces,
  weights,
  profiles,
}: CatalogueRow): Pick<CatalogueRow, "fields" | "spaces" | "weights" | "profiles"> {
  return { fields, spaces, weights, profiles };
}

function catalogueRow({ collection, layout }: CollectionLayout): CatalogueRow {
  return {
    name: collection.name,
    fields: Object.fromEntries(collection.fields.map((field) => [field.name, field.type])),
    spaces: layout.map(({ space, offset, dimensions, encoderIdentity }) => ({
      ...collection.spaces.find(({ name }) => name === space)?.definition,
      name: space,
      offset,
      dimensions,
      identity: encoderIdentity,
    })),
    weights: collection.weights,
    live_table: `${collection.name}_g1`,
    profiles: collection.profiles,
    graphs: followedGraphs(collection, layout),
  };
}

/**
 * A tenth of each page stays free, so that most changes of a row that leave its vector as it is need no new entry in the
 * index. Vacuumed at a tenth of dead rows instead of a fifth, since a search walks over dead entries, and five times as fast
 * as Postgres would, since an HNSW index is read and mended whole. 0005-table-upkeep.sql gives older tables the same.
 */
const upkeep =
  "fillfactor = 90, autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_limit = 1000";

function createSql(
  { collection, layout }: CollectionLayout,
  catalogue: CatalogueRow,
  vectorSchema: string,
): string {
  const table = liveTable(collection.name);
  const dimensions = layout.reduce((sum, segment) => sum + segment.dimensions, 0);
  const typed = typedColumns(collection, vectorSchema);
  const columns = [
    `id text collate "C" primary key`,
    `version bigint not null`,
    `deleted_at timestamptz`,
    `indexed_at timestamptz not null`,
    `segment_hashes bytea`,
    // Kept in the row when its texts are moved out: every exact scan reads it.
    `embedding ${escapeIdentifier(vectorSchema)}.halfvec(${dimensions}) storage main`,
    ...typed.map(({ definition }) => definition),
  ];
  return `create table ${table} (\n  ${columns.join(",\n  ")}\n) with (${upkeep});
${viewSql(
  collection.name,
  typed.map(({ name }) => name),
)}
insert into medley_internal.collections (name, fields, spaces, weights, dimensions, live_table, profiles, graphs) values (
  ${escapeLiteral(collection.name)}, ${json(catalogue.fields)}, ${json(catalogue.spaces)}, ${json(catalogue.weights)},
  ${dimensions}, ${escapeLiteral(catalogue.live_table)}, ${orNull(catalogue.profiles)}, ${orNull(catalogue.graphs)}
);
${matchFunctionSql(collection.name, vectorSchema)}
${catalogue.graphs === null ? "" : followSql(catalogue.name, table, catalogue.graphs)}`;
}

/** In the order of the table, so that what is new comes last: a view can only grow at its end. */
function viewSql(collection: string, typed: readonly string[]): string {
  const columns = ["id", "version", "indexed_at", "embedding", ...typed.map(escapeIdentifier)];
  return `create or replace view medley.${escapeIdentifier(collection)} as
select ${columns.join(", ")} from ${liveTable(collection)} where deleted_at is null;`;
}

interface TypedColumn {
  readonly name: string;
  readonly of: "field" | "label";
  /** As in `create table`. */
  readonly definition: string;
}

/** What a row says besides its vector: its fields, then what is told of it. */
function typedColumns(collection: Collection, vectorSchema: string): readonly TypedColumn[] {
  const column = (of: TypedColumn["of"], name: string, type: string) => ({
    name,
    of,
    definition: `${escapeIdentifier(name)} ${type}`,
  });
  return [
    ...collection.fields.map(({ name, type }) => column("field", name, columnType(type, vectorSchema))),
    ...labelColumnsOf(collection).flatMap(({ label, probability }) => [
      column("label", label, "text"),
      column("label", probability, "real"),
    ]),
  ];
}

function columnType(type: string, vectorSchema: string): string {
  switch (type) {
    case "text":
    case "image":
    case "audio":
    case "category":
      return "text";
    case "categories":
      return "text[]";
    case "shares":
    case "edges":
    case "series":
      return "jsonb";
    case "number":
      return "float8";
    case "timestamp":
      return "timestamptz";
    // x is the longitude, y the latitude.
    case "geo":
      return "point";
    default:
      return `${escapeIdentifier(vectorSchema)}.vector(${vectorDimensions(type)})`;
  }
}

function json(value: unknown): string {
  return `${escapeLiteral(JSON.stringify(value))}`;
}

function orNull(value: unknown): string {
  return value === null ? "null" : json(value);
}

const newName =
  "give the changed collection a new name, or use a fresh data folder or database, and backfill it";

function refuseConflicts({ collection, layout }: CollectionLayout, stored: CatalogueRow): void {
  const conflict = (what: string) =>
    new MedleyError("schema_conflict", `collection "${collection.name}": ${what}`, { mend: newName });
  for (const [name, type] of Object.entries(stored.fields)) {
    const field = collection.fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw conflict(`field "${name}" is stored but no longer configured`);
    if (field.type !== type)
      throw conflict(`field "${name}" is stored as ${type} but configured as ${field.type}`);
  }
  for (const [index, segment] of layout.entries()) {
    const space = stored.spaces[index];
    if (space === undefined) throw conflict(`space "${segment.space}" is configured but not stored`);
    if (space.name !== segment.space) {
      throw conflict(`space "${space.name}" is stored where "${segment.space}" is configured`);
    }
    if (space.dimensions !== segment.dimensions) {
      throw conflict(
        `space "${space.name}" is stored with ${space.dimensions} dimensions, not ${segment.dimensions}`,
      );
    }
    if (space.identity !== segment.encoderIdentity) {
      const definition = collection.spaces[index]?.definition;
      if (definition !== undefined && hasArtefact(definition)) {
        const place = `${collection.name}.${space.name}`;
        throw new MedleyError(
          "schema_conflict",
          `collection "${collection.name}": the rows' segments of space "${space.name}" are of another artefact than the one ` +
            "that medley.lock.json pins",
          { mend: `pin the one they are of (\`medley models use ${place} RUN\`), or ${newName}` },
        );
      }
      throw conflict(`space "${space.name}" was encoded by another encoder, or one with other parameters`);
    }
    const { definition } = collection.spaces[index] as Space;
    if (space.tuned !== undefined && !isTunedSpace(definition)) {
      throw conflict(`rows have labels by space "${space.name}", which is no longer tuned`);
    }
  }
  const dropped = stored.spaces[layout.length];
  if (dropped !== undefined) throw conflict(`space "${dropped.name}" is stored but no longer configured`);
}
