import { join } from "node:path";
import { fail, succeed } from "@medley/core";
import { expect, test, vi } from "vitest";
import { temporaryFolder } from "../artefact/model-folder.fixture.ts";
import { sessionOptions } from "../runtime/session.ts";
import type { Features } from "./features.ts";
import { featuresOf } from "./features.ts";
import { bagModel, tensorsModel, writeArtefact } from "./tiny-artefact.fixture.ts";
import { readTrainedModel } from "./trained-model.ts";
import { TrainedSession } from "./trained-session.ts";

vi.mock("./features.ts", () => ({ featuresOf: vi.fn() }));

/** Rows as they are given: what a session makes of them is what is tested. */
const asGiven: Features<unknown> = {
  row: (value) => (Array.isArray(value) ? succeed(Float32Array.from(value)) : fail({ message: "is no row" })),
  queryRow: () => succeed(Float32Array.of(0, 2)),
};

async function sessionOf(kind: "words" | "time2vec", dimensions: number, model: Uint8Array) {
  vi.mocked(featuresOf).mockReturnValue(asGiven as Features<never>);
  const file = join(await temporaryFolder(), "medley.lock.json");
  const manifest = { kind, dimensions };
  const lock = await writeArtefact(file, "a.b", { manifest, files: { "model.onnx": model } });
  return TrainedSession.open(
    await readTrainedModel({ space: "a.b", kind, dimensions, lock }),
    sessionOptions,
  );
}

test("bags of unlike sizes share a batch, padding counts nothing, and one bad value fails alone", async () => {
  const session = await sessionOf(
    "words",
    2,
    bagModel([
      [5, 5],
      [1, 0],
      [0, 1],
    ]),
  );
  const rows = await session.prepare([[1, 2], "no", [], [1, 3, 2, 4, 1, 0], [0, 1, 1, -5, 2, -5]], "passage");
  expect([...rows.lengths]).toEqual([2, 0, 0, 6, 6]);
  expect(rows.failures).toEqual([{ index: 1, message: "is no row" }]);
  const batch = { values: rows.values, lengths: rows.lengths.filter((length) => length > 0) };
  const answer = await session.run(batch);
  const found = [...answer.vectors].map((x) => Math.round(x * 1e4) / 1e4);
  // The last one adds up to nothing: no failure, but a value that says nothing.
  expect(found).toEqual([1, 0, 0.6, 0.8, 0, 0]);
  expect(answer).toMatchObject({ failed: [], paddedValues: 18, usefulValues: 14 });
  expect([...(await session.prepare(["x"], "query")).values]).toEqual([0, 2]);
});

test("tensors go to the graph's inputs in its order; what is not finite fails its row alone", async () => {
  const session = await sessionOf("time2vec", 3, tensorsModel());
  const rows = await session.prepare(
    [
      [1, 0, 0, 0, 0, 5],
      [1e38, 0, 0, 3e38, 0, 0],
      [0, 3, 0, 0, -6, 4],
    ],
    "passage",
  );
  const { vectors, failed } = await session.run(rows);
  const found = [...vectors].map((x) => Math.round(x * 1e4) / 1e4);
  const root = Math.sqrt(29);
  expect(found.slice(0, 3)).toEqual([2 / root, 0, 5 / root].map((x) => Math.round(x * 1e4) / 1e4));
  expect(failed).toEqual([1]);
  expect(found.slice(6)).toEqual([0, 0, 1]);
});

test("rows that are not of the form are a bug and never reach the graph", async () => {
  const bag = await sessionOf("words", 2, bagModel([[1, 0]]));
  for (const row of [[1], [-1, 1], [0.5, 1], [2 ** 24, 1]]) {
    await expect(bag.prepare([row], "passage")).rejects.toThrow();
  }
  const tensors = await sessionOf("time2vec", 3, tensorsModel());
  await expect(tensors.prepare([[1, 2, 3]], "passage")).rejects.toThrow("a row of time2vec");
});
