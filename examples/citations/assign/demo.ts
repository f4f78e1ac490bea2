import { readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { planAssignment, writeRecords } from "@medley/example-steps";

// Should a graph be walked on, or its nodes be heard by their neighbours, with the topics or without? `medley assign` measures it by what the
// nearest papers tell of a paper's topic.
const here = fileURLToPath(new URL(".", import.meta.url));
rmSync(`${here}.medley`, { recursive: true, force: true });
const papers = gunzipSync(readFileSync(new URL("../papers.jsonl.gz", import.meta.url)));
const records = papers
  .toString()
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));
planAssignment(here, "papers", { from: writeRecords(here, "papers.jsonl", records) });
