import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { EncodeResult } from "@medley/core";
import { afterAll, expect, test } from "vitest";
import { ContentReader } from "../content/content-reader.ts";
import { openModelRuntime } from "./model-runtime.ts";

const pictures = join(import.meta.dirname, "../../fixtures/image/pictures");
const clips = join(import.meta.dirname, "../audio/clips");
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
const runtime = stack.use(openModelRuntime({ environment: {}, threads: 2 }));
const pictureReader = stack.use(new ContentReader({ folder: pictures, hosts: [] }));
const clipReader = stack.use(new ContentReader({ folder: clips, hosts: [] }));
const images = await runtime.imageEncoder("thin-resnet-50", { content: pictureReader });
const sounds = await runtime.audioEncoder("ge2e-voice", { content: clipReader });

function outcomes(results: readonly EncodeResult[]): (string | number)[] {
  return results.map((result) =>
    result.ok ? Math.hypot(...result.value) : `${result.failure.code}: ${result.failure.message}`,
  );
}
const inline = (path: string) => ({ base64: readFileSync(path).toString("base64") });

test("pictures by path and by bytes, good and bad together: each has its own result, in order", async () => {
  const bytes = `data:image/webp;base64,${inline(join(pictures, "coffee.webp")).base64}`;
  const results = await images.encode([
    "coffee.webp",
    "missing.png",
    bytes,
    "data:;base64,aGVsbG8=",
    "photo.jpg",
  ]);
  expect(outcomes(results)).toEqual([
    expect.closeTo(1, 5),
    expect.stringContaining("encoder_failed"),
    expect.closeTo(1, 5),
    expect.stringContaining("none of JPEG, PNG, WebP"),
    expect.closeTo(1, 5),
  ]);
  expect(results[2]).toEqual(results[0]);
});

test("a picture has the same vector as a record and as a search", async () => {
  const [record] = await images.encode(["coffee.webp"]);
  const query = await images.encodeQuery(inline(join(pictures, "coffee.webp")));
  expect(record).toEqual({ ok: true, value: query });
});

test.for([
  [5, "query_invalid"],
  [{ base64: "aGVsbG8=" }, "query_invalid"],
  ["../reference.json", "query_invalid"],
  [{ url: "http://127.0.0.1/x.png" }, "query_invalid"],
] as const)("a search for %j is invalid", async ([query, code]) => {
  await expect(images.encodeQuery(query)).rejects.toMatchObject({ code });
});

test("clips likewise; the same voice is nearer than another", async () => {
  const results = await sounds.encode(["rms-1.opus", "rms-2.ogg", "slt-1.opus", "README.md"]);
  expect(outcomes(results).at(-1)).toContain("encoder_failed");
  const [first, same, other] = results.map((result) => (result.ok ? result.value : new Float32Array(256)));
  const cosine = (a?: Float32Array, b?: Float32Array) =>
    (a as Float32Array).reduce((sum, x, d) => sum + x * ((b as Float32Array)[d] as number), 0);
  expect(cosine(first, same)).toBeGreaterThan(cosine(first, other));
});

test("more than is let in at once passes, and each is counted", async () => {
  const before = runtime.counters;
  const results = await images.encode(Array(20).fill("small.png"));
  expect(results.every((result) => result.ok)).toBe(true);
  const after = runtime.counters;
  expect([after.inputs - before.inputs, after.inputsTried - before.inputsTried]).toEqual([20, 20]);
});

test("who gives up gets the reason", async () => {
  const giveUp = new AbortController();
  const encoding = images.encode(Array(20).fill("photo.jpg"), giveUp.signal);
  giveUp.abort(new Error("enough"));
  await expect(encoding).rejects.toThrow("enough");
});

test("a classifier without a named layer is refused with the candidates; named, it is cut there", async () => {
  const content = pictureReader;
  await expect(
    runtime.imageEncoder("thin-resnet-50", { content, output: "no such layer" }),
  ).rejects.toMatchObject({ code: "model_unsupported" });
  const cut = await runtime.imageEncoder("thin-resnet-50", { content, output: "pooler_output" });
  expect(cut.dimensions).toBe(1_024);
});
