import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { speakers, topics } from "./messages.ts";
import { recordings } from "./speak.ts";

const example = join(import.meta.dirname, "../../examples/sounds");

test("examples/sounds/sounds.jsonl is what the script makes: run node infra/example-sounds/speak.ts", () => {
  const lines = recordings().map((recording) => `${JSON.stringify(recording)}\n`);
  expect(readFileSync(join(example, "sounds.jsonl"), "utf8")).toBe(lines.join(""));
});

test("there is a clip per record and one per speaker to search with, and every speaker has a message on every topic", () => {
  expect(readdirSync(join(example, "clips")).toSorted()).toEqual(
    recordings()
      .map(({ clip }) => clip)
      .toSorted(),
  );
  const names = Object.keys(speakers);
  expect(readdirSync(join(example, "queries")).toSorted()).toEqual(
    names.map((name) => `${name}.opus`).toSorted(),
  );
  for (const { messages } of Object.values(speakers))
    expect(messages.map(({ topic }) => topic)).toEqual([...topics]);
});
