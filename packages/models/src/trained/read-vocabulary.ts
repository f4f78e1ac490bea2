import { MedleyError } from "@medley/core";
import type { ArtefactFiles } from "./features.ts";

/** Reads a file of an artefact that is a JSON list of strings. Throws `model_damaged`, naming the file. */
export function readVocabulary(files: ArtefactFiles, path: string): string[] {
  const bytes = files.get(path);
  if (bytes === undefined) throw damaged(path, "is missing");
  let list: unknown;
  try {
    list = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw damaged(path, "is not JSON", cause);
  }
  if (Array.isArray(list) && list.every((entry) => typeof entry === "string")) return list;
  throw damaged(path, "is no list of strings");
}

function damaged(path: string, what: string, cause?: unknown): MedleyError {
  return new MedleyError("model_damaged", `the trained model's ${path} ${what}`, {
    mend: "take the artefact's folder from a backup, or train the space again",
    cause,
  });
}
