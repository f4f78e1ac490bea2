import { expect, test } from "vitest";
import { replacedNote } from "./replaced-note.ts";

const artefact = (run: string, model: string, more: object = {}) => ({
  run,
  files: {
    "manifest.json": { sha256: run, bytes: 1 },
    "model.onnx": { sha256: model, bytes: 1 },
    ...more,
  },
});

test("rows are another artefact's only where a file that decides vectors differs", () => {
  const before = artefact("run-1", "aa");
  expect(replacedNote("films.cast", undefined, before)).toBeNull();
  expect(replacedNote("films.cast", before, artefact("run-2", "aa"))).toBeNull();
  expect(replacedNote("films.cast", before, artefact("run-2", "bb"))).toContain(
    "models use films.cast run-1",
  );
  const terms = { "terms.json": { sha256: "cc", bytes: 1 } };
  expect(replacedNote("films.cast", before, artefact("run-2", "aa", terms))).toContain("rows of films");
});

test("rows whose classifier alone is another one keep their segments, and are told to be labelled again", () => {
  const head = (sha256: string) => ({ "head/model.safetensors": { sha256, bytes: 1 } });
  const before = artefact("run-1", "aa", head("cc"));
  const note = replacedNote("films.plot", before, artefact("run-2", "aa", head("dd")));
  expect(note).toContain("keep the labels of run run-1");
  expect(note).not.toContain("schema_conflict");
  expect(replacedNote("films.plot", before, artefact("run-2", "bb", head("dd")))).toContain(
    "schema_conflict",
  );
});
