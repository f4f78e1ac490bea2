import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { drawReviews, findReviews, labels } from "./review-files.ts";

let folder: string;
const archive = () => join(folder, "aclImdb");
const lines = () => join(folder, "imdb");
const numbers = Array.from({ length: 6 }, (_, number) => number);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "medley-reviews-"));
  mkdirSync(lines());
  for (const part of ["train", "test"]) {
    const reviews = labels.flatMap((label) => {
      mkdirSync(join(archive(), part, label), { recursive: true });
      return numbers.map((number) => {
        const text = `${part} ${label} ${number}\n`;
        writeFileSync(join(archive(), part, label, `${number}_7.txt`), text.replace("\n", "<br />"));
        return JSON.stringify({ id: `${label}-${number}`, label, text });
      });
    });
    writeFileSync(join(archive(), part, "pos", "urls.html"), "no review");
    writeFileSync(join(lines(), `${part}.jsonl.gz`), gzipSync(`${reviews.join("\n")}\n`));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

test.for([["archive", archive] as const, ["lines", lines] as const])(
  "of the %s as many of each label are drawn, each once, the same ones by the same seed",
  ([, where]) => {
    const drawn = drawReviews(where(), "train", { count: 8, seed: 3 });
    expect(drawn.filter(({ label }) => label === "pos")).toHaveLength(4);
    expect(new Set(drawn.map(({ id }) => id)).size).toBe(8);
    for (const { text, label } of drawn) expect(text).toMatch(new RegExp(`^train ${label} \\d\\n$`));
    expect(drawReviews(where(), "train", { count: 8, seed: 3 })).toEqual(drawn);
    expect(drawReviews(where(), "train", { count: 8, seed: 4 })).not.toEqual(drawn);
    expect(drawReviews(where(), "test", { count: 2, seed: 3 })[0]?.text).toMatch(/^test /);
    expect(() => drawReviews(where(), "test", { count: 14, seed: 3 })).toThrow("6 reviews");
  },
);

test("the first folder that has reviews is taken; without one it says what to get", () => {
  expect(findReviews([join(folder, "nowhere"), lines(), archive()])).toBe(lines());
  expect(findReviews([archive()])).toBe(archive());
  expect(() => findReviews([join(folder, "nowhere")])).toThrow(/nowhere\. Get aclImdb_v1\.tar\.gz/);
});
