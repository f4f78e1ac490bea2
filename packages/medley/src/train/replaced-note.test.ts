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
