import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Context } from "./context.ts";

/** A folder with a configuration and records, `papers.jsonl`, that is removed when the test ends. */
export interface TrainingFolder {
  readonly context: Context;
  readonly records: string;
  readonly lockFile: string;
  /** Of the collection `papers`; in the place of those that there were. */
  readonly configure: (spaces: object) => Promise<void>;
}

const fields = { abstract: "text", year: "number", topic: "category", cites: "edges" };
const topics = ["plasma in a strong field", "walks on large networks", "cells and their walls"];

export async function trainingFolder(spaces: object): Promise<TrainingFolder> {
  const directory = await mkdtemp(join(tmpdir(), "medley-training-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const configure = (changed: object) => {
    const config = { collections: { papers: { fields, spaces: changed } } };
    return writeFile(join(directory, "medley.config.json"), JSON.stringify(config));
  };
  await configure(spaces);
  const lines = Array.from({ length: 30 }, (_, n) =>
    JSON.stringify({
      ...{ id: `p${n}`, abstract: `${topics[n % 3]} ${n % 7}`, year: 1990 + n },
      cites: { [`p${(n + 3) % 30}`]: 1, [`p${(n + 6) % 30}`]: 1 },
    }),
  );
  const records = join(directory, "papers.jsonl");
  await writeFile(records, lines.join("\n"));
  const signal = new AbortController().signal;
  const context: Context = { directory, environment: {}, signal, global: {} };
  return { context, records, lockFile: join(directory, "medley.lock.json"), configure };
}
