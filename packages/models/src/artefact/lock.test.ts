import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { readLock, updateLock } from "./lock.ts";
import { temporaryFolder } from "./model-folder.fixture.ts";
import { names } from "./pinning.fixture.ts";

const revision = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf";
const sha256 = "0123456789abcdef".repeat(4);
const assigned = { spaces: {}, weights: {}, classes: {}, dimensions: {} };
const model = { revision, files: { "config.json": { sha256, bytes: 1 } } };

test("what is written is read; names are in order and nothing is left beside it", async () => {
  const folder = await temporaryFolder();
  const file = join(folder, "medley.lock.json");
  expect(await readLock(file)).toEqual({ file, models: {}, trained: {}, assigned });
  await updateLock(file, (models) => {
    models["z/z"] = model;
  });
  await updateLock(file, (models) => {
    models["a/a#fp16"] = { ...model, files: { ...model.files, "a.json": { sha256, bytes: 2 } } };
  });
  expect(Object.keys((await readLock(file)).models)).toEqual(["a/a#fp16", "z/z"]);
  expect((await readLock(file)).models["z/z"]).toEqual(model);
  const text = await readFile(file, "utf8");
  expect(text.indexOf("a.json")).toBeLessThan(text.indexOf("config.json"));
  expect(await readdir(folder)).toEqual(["medley.lock.json"]);
});

const artefact = { run: "2026-11-24-1f0c9a2e", files: { "manifest.json": { sha256, bytes: 1 } } };

test("artefacts are kept beside models, and a lock from before there were any is read", async () => {
  const file = join(await temporaryFolder(), "medley.lock.json");
  await writeFile(file, JSON.stringify({ lockVersion: 1, models: { "z/z": model } }));
  expect(await readLock(file)).toEqual({ file, models: { "z/z": model }, trained: {}, assigned });
  await updateLock(file, (_, trained) => {
    trained["films.cast"] = artefact;
  });
  expect(await readLock(file)).toEqual({
    file,
    models: { "z/z": model },
    trained: { "films.cast": artefact },
    assigned,
  });
  await updateLock(file, (models) => {
    delete models["z/z"];
  });
  expect((await readLock(file)).trained).toEqual({ "films.cast": artefact });
});

test("choices and weights are kept with their evidence, and one that can serve nothing is refused", async () => {
  const file = join(await temporaryFolder(), "medley.lock.json");
  const choice = { definition: { encoder: "text", field: "plot" }, evidence: { seed: 1 } };
  const weights = { weights: { plot: 1.5, cast: 0.5 }, evidence: { seed: 1 } };
  const dimensions = { spaces: { plot: { to: 96, by: "pca" as const } }, evidence: { seed: 1 } };
  await updateLock(file, (_models, _trained, chosen) => {
    chosen.spaces["films.plot"] = choice;
    chosen.weights.films = weights;
    chosen.classes.films = { "who made it": weights };
    chosen.dimensions.films = dimensions;
  });
  await updateLock(file, (models) => {
    models["a/a"] = model;
  });
  expect((await readLock(file)).assigned).toEqual({
    spaces: { "films.plot": choice },
    weights: { films: weights },
    classes: { films: { "who made it": weights } },
    dimensions: { films: dimensions },
  });
  const broken = [
    { spaces: [] },
    { spaces: { "films.plot": { evidence: {} } } },
    { weights: { films: { ...weights, weights: { plot: "heavy" } } } },
    { classes: { films: weights } },
    { classes: { films: { brand: { ...weights, weights: { plot: "heavy" } } } } },
    { dimensions: { films: { ...dimensions, spaces: { plot: { to: 96, by: "half" } } } } },
    { dimensions: { films: { spaces: {} } } },
  ];
  for (const one of broken) {
    await writeFile(file, JSON.stringify({ lockVersion: 3, models: {}, trained: {}, assigned: one }));
    await expect(readLock(file)).rejects.toMatchObject({ code: "config_invalid" });
  }
});

const lockWithTrained = (name: string, one: object) => ({
  lockVersion: 2,
  models: {},
  trained: { [name]: one },
});
const lockWith = (one: object) => ({ lockVersion: 1, models: { "a/a": one } });

test.for([
  ["no JSON", "{"],
  ["null", null],
  ["a later version", { lockVersion: 6, models: {} }],
  ["no version", { models: {} }],
  ["an artefact of no space", lockWithTrained("../films.cast", artefact)],
  ["a run that leads elsewhere", lockWithTrained("films.cast", { ...artefact, run: "../x" })],
  ["an artefact without files", lockWithTrained("films.cast", { run: artefact.run })],
  [
    "an artefact's path upwards",
    lockWithTrained("films.cast", { ...artefact, files: { "../a": { sha256, bytes: 1 } } }),
  ],
  ["no models", { lockVersion: 1 }],
  ["a branch for a commit", lockWith({ ...model, revision: "main" })],
  ["no files", lockWith({ revision })],
  ["a short hash", lockWith({ revision, files: { "a.json": { sha256: "00", bytes: 1 } } })],
  ["a negative size", lockWith({ revision, files: { "a.json": { sha256, bytes: -1 } } })],
  ["a path upwards", lockWith({ revision, files: { "../a.json": { sha256, bytes: 1 } } })],
  ["a path in the middle upwards", lockWith({ revision, files: { "a/../../b": { sha256, bytes: 1 } } })],
  ["an absolute path", lockWith({ revision, files: { "/etc/passwd": { sha256, bytes: 1 } } })],
  ["a Windows path", lockWith({ revision, files: { "C:\\a": { sha256, bytes: 1 } } })],
] as const)("a lock with %s is refused, and not overwritten", async ([, content]) => {
  const file = join(await temporaryFolder(), "medley.lock.json");
  const text = typeof content === "string" ? content : JSON.stringify(content);
  await writeFile(file, text);
  await expect(readLock(file)).rejects.toMatchObject({ code: "config_invalid" });
  await expect(updateLock(file, () => {})).rejects.toMatchObject({ code: "config_invalid" });
  expect(await readFile(file, "utf8")).toBe(text);
});

test("a lock that can't be written is said, and the old one stays", async () => {
  // So long that there is no room for what is written beside it.
  const file = join(await temporaryFolder(), `${"l".repeat(235)}.json`);
  const text = JSON.stringify({ lockVersion: 1, models: {} });
  await writeFile(file, text);
  const written = updateLock(file, (models) => {
    models["a/a"] = model;
  });
  await expect(written).rejects.toMatchObject({ code: "data_not_writable" });
  expect(await readFile(file, "utf8")).toBe(text);
});

test("of calls at once in one process none loses what another has pinned", async () => {
  const folder = await temporaryFolder();
  const file = join(folder, "medley.lock.json");
  await Promise.all(
    names("a", 20).map((name) =>
      updateLock(file, (models) => {
        models[name] = model;
      }),
    ),
  );
  expect(Object.keys((await readLock(file)).models)).toEqual(names("a", 20).sort());
  expect(await readdir(folder)).toEqual(["medley.lock.json"]);
});

const [pinning, run] = [join(import.meta.dirname, "pinning.fixture.ts"), promisify(execFile)];

test("of two processes that pin at once none loses what the other has pinned, also after one that was killed", async () => {
  const folder = await temporaryFolder();
  const file = join(folder, "medley.lock.json");
  await expect(run(process.execPath, [pinning, file, "killed", "1", "kill"])).rejects.toMatchObject({
    signal: "SIGKILL",
  });
  expect(await readdir(folder)).toEqual(["medley.lock.json.guard"]);
  await Promise.all(["a", "b"].map((writer) => run(process.execPath, [pinning, file, writer, "40"])));
  expect(Object.keys((await readLock(file)).models)).toEqual([...names("a", 40), ...names("b", 40)].sort());
  expect(await readdir(folder)).toEqual(["medley.lock.json"]);
});
