/** The examples of docs/SOURCES.md, run: each configuration is checked, each message becomes what the page says. */
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { type Collection, checkConfig, parseRecord, version } from "@medley/core";
import { mapMessage } from "@medley/sources";
import { defineConfig } from "medley";
import { expect, test } from "vitest";

const page = readFileSync(join(import.meta.dirname, "../../docs/SOURCES.md"), "utf8");
const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, code]) => ({
  language,
  code: code as string,
}));
const timestampMs = Date.UTC(2024, 4, 1, 12);

function configOf(code: string): readonly Collection[] {
  const script = stripTypeScriptTypes(code)
    .replace(/^import \{ defineConfig \} from "medley";$/m, "")
    .replace("export default", "return");
  return checkConfig(new Function("defineConfig", script)(defineConfig), "docs/SOURCES.md");
}

/** As the page shows a record: what is there, a delete as such, the version where it is the source's own. */
function becomes(
  collection: Collection,
  given: { key?: unknown; headers?: Record<string, string>; value?: unknown },
) {
  const [source] = collection.sources;
  if (source?.kind !== "topic") throw new Error("the example has no topic");
  const bytes = (value: unknown) =>
    value === undefined ? null : Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  const message = {
    topic: source.topic,
    partition: 0,
    offset: 0n,
    timestampMs,
    headers: given.headers ?? {},
    key: bytes(given.key),
    value: bytes(given.value),
  };
  const { mapped } = mapMessage(source, collection, message, { nowMs: timestampMs });
  if (mapped.kind !== "record") return mapped;
  const options = { source: mapped.source, textual: false, arrivalVersion: version(mapped.version ?? 0n) };
  const parsed = parseRecord(collection, mapped.value, options);
  if (!parsed.ok) return parsed.failure.message;
  const { id, op, fields } = parsed.value;
  return {
    id,
    ...(collection.versionKey === null ? {} : { version: parsed.value.version.toString() }),
    ...(op === "delete" ? { delete: true } : {}),
    ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)),
  };
}

test("there are configurations and messages to run", () => {
  expect(blocks.filter(({ language }) => language === "ts").length).toBeGreaterThanOrEqual(3);
  expect(blocks.filter(({ language }) => language === "json").length).toBeGreaterThanOrEqual(5);
});

let collections: readonly Collection[] = [];
const runs = blocks.flatMap(({ language, code }, at) => {
  if (language === "ts") collections = configOf(code);
  const example = language === "json" ? JSON.parse(code) : {};
  return "message" in example ? [{ at, collection: collections[0] as Collection, ...example }] : [];
});

test.for(runs)("block $at: a message of $collection.name", ({ collection, message, becomes: expected }) => {
  expect(becomes(collection, message)).toEqual(expected);
});
