import { configJsonSchema, sourceName } from "@medley/core";
import { explainSettings } from "../config/settings.ts";
import { configuredTopics } from "../ingest/topic-ingest.ts";
import { type Context, configOf, settingsOf } from "./context.ts";
import { type Outcome, table } from "./output.ts";

/** `medley config`: what is configured, and where each setting comes from. */
export async function configCommand(context: Context, given: { jsonSchema?: boolean }): Promise<Outcome> {
  if (given.jsonSchema) {
    const schema = configJsonSchema();
    return { exitCode: 0, data: schema, text: JSON.stringify(schema, null, 2) };
  }
  const { file, collections } = await configOf(context);
  const settings = explainSettings(context.environment);
  const spaces = [...collections.values()].flatMap((collection) =>
    collection.spaces.map((space) => [
      collection.name,
      space.name,
      space.definition.encoder,
      space.fields.join(", "),
      collection.weights[space.name] ?? 1,
    ]),
  );
  const topics = configuredTopics(collections.values(), settingsOf(context));
  const tables = [...collections.values()].flatMap(({ name, sources: all }) =>
    all.flatMap((source) => (source.kind === "postgres" ? [[name, sourceName(source), "rows", "-"]] : [])),
  );
  const sources = [
    ...topics.map(({ collection, source, group }) => [
      collection.name,
      sourceName(source),
      source.format,
      group,
    ]),
    ...tables,
  ];
  const text = [
    `${file} is valid`,
    table(["collection", "space", "encoder", "field", "weight"], spaces),
    ...(sources.length === 0 ? [] : [table(["collection", "source", "format", "group"], sources)]),
    table(
      ["setting", "value", "from"],
      settings.map((s) => [s.variable, s.value ?? "-", s.origin]),
    ),
  ].join("\n\n");
  return { exitCode: 0, data: { file, collections: [...collections.values()], settings }, text };
}
