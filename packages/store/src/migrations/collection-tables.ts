import {
  type Collection,
  canonicalJson,
  type FullText,
  firstGeneration,
  hasArtefact,
  isTunedSpace,
  MedleyError,
  type Profiles,
  type SegmentLayout,
  type Space,
} from "@medley/core";
import pg from "pg";
import { type FollowedGraph, followedGraphs, followSql } from "./graph-tables.ts";
import { matchFunction, matchFunctionSql } from "./match-function.ts";
import type { MigrationStep } from "./migrate.ts";
import {
  createRowsSql,
  dimensionsOf,
  dropRowsViewSql,
  liveView,
  replaceViewSql,
  rowsViewSql,
  rowTable,
  type TypedColumn,
  tableName,
  typedColumns,
} from "./row-tables.ts";
import { type TextChanges, textChanges, textColumn, textColumnSql } from "./text-columns.ts";

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
  readonly texts: readonly FullText[];
  /** Null: the row is from before classes were kept there. */
  readonly classes: Collection["classes"] | null;
}

export interface StoredSpace {
  readonly name: string;
  readonly offset: number;
  readonly dimensions: number;
  readonly identity: string;
  readonly encoder: string;
  readonly field: string | readonly string[];
  /** As configured; absent where the space is not tuned, and then has no columns for labels. */
  readonly tuned?: unknown;
}

/** A generation of a collection's rows, beside the live one. */
export interface OtherGeneration extends Pick<CatalogueRow, "fields" | "spaces"> {
  readonly generation: number;
}

/** A collection as a database has it. */
export interface StoredCollection extends CatalogueRow {
  /** The live one. */
  readonly generation: number;
  /** The highest number that was given, also where that generation has ended. */
  readonly newestGeneration: number;
  readonly others: readonly OtherGeneration[];
  /** Whether the live rows have the view that functions read. */
  readonly hasRowsView: boolean;
  /** Of its table, in their order. */
  readonly columns: readonly string[];
  /** Those of its own in schema medley. */
  readonly functions: readonly string[];
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
  if (otherServed(configured, stored)) return [];
  const steps = changeSteps(configured, stored, vectorSchema);
  if (stored.others.length === 0 || steps.length === 0) return [...classesStep(configured, stored), ...steps];
  throw new MedleyError(
    "schema_conflict",
    `collection "${stored.name}" has two generations, and its configuration changes`,
    {
      mend: "change it when there is one: medley apply --finish or --drop",
    },
  );
}

/** Of a collection from before classes were kept there: also while it has two generations, since that is no change of its configuration. */
function classesStep(
  { collection: { name, classes } }: CollectionLayout,
  stored: StoredCollection,
): readonly MigrationStep[] {
  if (stored.classes !== null || Object.keys(classes).length === 0) return [];
  const of = escapeLiteral(name);
  const sql = `update medley_internal.collections set classes = ${json(classes)} where name = ${of};
update medley_internal.generations set classes = ${json(classes)} where collection = ${of};`;
  return [{ name: `collection ${name}: classes of searches`, sql }];
}

/** The generation that a configuration is of: the live one, unless it is that of another. */
export function servedGeneration(configured: CollectionLayout, stored: StoredCollection): number {
  return otherServed(configured, stored)?.generation ?? stored.generation;
}

/** What was live before, or will be. */
function otherServed(
  { collection, layout }: CollectionLayout,
  { others }: StoredCollection,
): OtherGeneration | undefined {
  const fields = Object.fromEntries(collection.fields.map(({ name, type }) => [name, type]));
  const segments = layout.map(({ space, dimensions, encoderIdentity }, index) => [
    ...[space, dimensions, encoderIdentity],
    collection.spaces[index]?.fields,
  ]);
  const asked = canonicalJson([fields, segments]);
  return others.find((other) => {
    const stored = other.spaces.map(({ name, dimensions, identity, field }) => [
      ...[name, dimensions, identity],
      [field].flat(),
    ]);
    return canonicalJson([other.fields, stored]) === asked;
  });
}

function changeSteps(
  configured: CollectionLayout,
  stored: StoredCollection,
  vectorSchema: string,
): readonly MigrationStep[] {
  const catalogue = catalogueRow(configured);
  const { name, generation } = stored;
  refuseConflicts(configured, stored);
  const typed = typedColumns(configured.collection, vectorSchema);
  const added = typed.filter((column) => !stored.columns.includes(column.name));
  const classes = stored.classes ?? catalogue.classes;
  const same = canonicalJson(searchPart({ ...stored, classes })) === canonicalJson(searchPart(catalogue));
  const texts = textChanges(stored.texts, catalogue.texts);
  const kept = stored.columns.filter((column) => typed.some((one) => one.name === column));
  const shown = [...kept, ...added.map((column) => column.name)];
  const keptTexts = catalogue.texts.filter((text) => !texts.added.includes(text)).map(textColumn);
  const inOrder = stored.columns.filter((column) => kept.includes(column) || keptTexts.includes(column));
  const rowsShown = [...inOrder, ...added.map((column) => column.name), ...texts.added.map(textColumn)];
  const rowsView = {
    name: `collection ${name}: view of rows`,
    sql: rowsViewSql(name, generation, rowsShown),
  };
  const rest = [
    ...(canonicalJson(stored.graphs) === canonicalJson(catalogue.graphs)
      ? []
      : followStep(catalogue, generation)),
    ...(stored.functions.includes(matchFunction(name)) ? [] : [matchStep(name, vectorSchema)]),
    ...(stored.hasRowsView ? [] : [rowsView]),
  ];
  if (added.length === 0 && same) return rest;
  const columns = [...added.map(({ definition }) => definition), ...texts.added.map(textColumnSql)];
  const changes = [
    ...texts.dropped.map((text) => `drop column ${escapeIdentifier(textColumn(text))}`),
    ...columns.map((definition) => `add column ${definition}`),
  ];
  return [
    {
      name: `collection ${name}: ${namesOf(added, texts) || "search settings"}`,
      sql: [
        ...(texts.dropped.length === 0 ? [] : [dropRowsViewSql(name, generation)]),
        ...(changes.length === 0
          ? []
          : [`alter table ${rowTable(name, generation)}\n  ${changes.join(",\n  ")};`]),
        rowsView.sql,
        ...(texts.dropped.length === 0 ? [] : [grantAgainSql]),
        replaceViewSql(name, liveView(name, generation, shown, vectorSchema)),
        `update medley_internal.collections set fields = ${json(catalogue.fields)}, spaces = ${json(catalogue.spaces)},
  weights = ${json(catalogue.weights)}, profiles = ${orNull(catalogue.profiles)}, texts = ${json(catalogue.texts)},
  classes = ${json(catalogue.classes)}
where name = ${escapeLiteral(name)};`,
      ].join("\n"),
    },
    ...rest.filter((step) => step !== rowsView),
  ];
}

/** What is made anew has no rights on it: roles get theirs in the same transaction. */
const grantAgainSql =
  "select medley_internal.grant_role(role_name, kind) from medley_internal.granted_roles;";

/** Of a collection from before there was such a function. */
function matchStep(collection: string, vectorSchema: string): MigrationStep {
  const sql = matchFunctionSql(collection, vectorSchema);
  return { name: `collection ${collection}: ${matchFunction(collection)}`, sql };
}

/** What is new, for whoever reads what a migration does. */
function namesOf(added: readonly TypedColumn[], texts: TextChanges): string {
  const part = (what: string, named: readonly { readonly name: string }[]) =>
    named.length === 0 ? [] : [`${what} ${named.map(({ name }) => name).join(", ")}`];
  const parts = [
    part(
      "new field",
      added.filter(({ of }) => of === "field"),
    ),
    part(
      "new label",
      added.filter(({ of }) => of === "label"),
    ),
    part("without text", texts.dropped),
    part("new text", texts.added),
  ];
  return parts.flat().join("; ");
}

/** Of a collection that is there: its rows are all to be encoded anew in these spaces, where their neighbours say something else. */
function followStep({ name, graphs }: CatalogueRow, generation: number): readonly MigrationStep[] {
  const catalogued = `update medley_internal.collections set graphs = ${orNull(graphs)} where name = ${escapeLiteral(name)};`;
  const sql = `${followSql(name, generation, graphs)}\n${catalogued}`;
  return [{ name: `collection ${name}: neighbours`, sql }];
}

type SearchPart = Pick<CatalogueRow, "fields" | "spaces" | "weights" | "profiles" | "texts" | "classes">;

function searchPart({ fields, spaces, weights, profiles, texts, classes }: SearchPart): SearchPart {
  return { fields, spaces, weights, profiles, texts, classes };
}

export function catalogueRow({ collection, layout }: CollectionLayout): CatalogueRow {
  return {
    name: collection.name,
    fields: Object.fromEntries(collection.fields.map((field) => [field.name, field.type])),
    spaces: layout.map(({ space, offset, dimensions, encoderIdentity }, index) => ({
      ...(collection.spaces[index] as Space).definition,
      ...{ name: space, offset, dimensions, identity: encoderIdentity },
    })),
    weights: collection.weights,
    live_table: tableName(collection.name, firstGeneration),
    profiles: collection.profiles,
    graphs: followedGraphs(collection, layout),
    texts: collection.texts,
    classes: collection.classes,
  };
}

function createSql(configured: CollectionLayout, catalogue: CatalogueRow, vectorSchema: string): string {
  const { collection, layout } = configured;
  const typed = typedColumns(collection, vectorSchema).map(({ name }) => name);
  return `${createRowsSql(configured, firstGeneration, vectorSchema)}
${replaceViewSql(collection.name, liveView(collection.name, firstGeneration, typed, vectorSchema))}
insert into medley_internal.collections (name, fields, spaces, weights, dimensions, live_table, profiles, graphs, texts, classes) values (
  ${escapeLiteral(collection.name)}, ${json(catalogue.fields)}, ${json(catalogue.spaces)}, ${json(catalogue.weights)},
  ${dimensionsOf(layout)}, ${escapeLiteral(catalogue.live_table)}, ${orNull(catalogue.profiles)}, ${orNull(catalogue.graphs)},
  ${json(catalogue.texts)}, ${json(catalogue.classes)}
);
${matchFunctionSql(collection.name, vectorSchema)}
${followSql(catalogue.name, firstGeneration, catalogue.graphs)}`;
}

export function json(value: unknown): string {
  return `${escapeLiteral(JSON.stringify(value))}`;
}

export function orNull(value: unknown): string {
  return value === null ? "null" : json(value);
}

const newName =
  "medley plan says what a new generation of its rows would take, and medley apply makes it; or give the changed collection a new name and backfill it";

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
    const { definition, fields } = collection.spaces[index] as Space;
    const read = [space.field].flat();
    if (canonicalJson(read) !== canonicalJson(fields)) {
      throw conflict(
        `the rows' segments of space "${space.name}" are of ${read.join(", ")}, not of ${fields.join(", ")}`,
      );
    }
    if (space.tuned !== undefined && !isTunedSpace(definition)) {
      throw conflict(`rows have labels by space "${space.name}", which is no longer tuned`);
    }
  }
  const dropped = stored.spaces[layout.length];
  if (dropped !== undefined) throw conflict(`space "${dropped.name}" is stored but no longer configured`);
}
