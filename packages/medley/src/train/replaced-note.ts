import { classifierFile, classifierWeightsFile, type LockedArtefact, manifestFile } from "@medley/models";

/**
 * What becomes of rows that were encoded by the artefact that was pinned before; null where there was none, or one of equal
 * bytes, which gives equal vectors whatever its run is called.
 */
export function replacedNote(
  place: string,
  before: LockedArtefact | undefined,
  after: LockedArtefact,
): string | null {
  if (before === undefined || hasEqualFiles(before, after)) return null;
  const [collection] = place.split(".");
  if (hasEqualFiles(before, after, isOfClassifier)) {
    return (
      `rows of ${collection} that are stored keep the labels of run ${before.run} until they come again: backfill them, ` +
      "which runs no model where a text is as it was"
    );
  }
  return (
    `rows of ${collection} that are stored hold segments of run ${before.run}: services that start now refuse them (schema_conflict). ` +
    `Make them anew beside those with medley apply ${collection}, or go back: medley models use ${place} ${before.run}`
  );
}

const isOfClassifier = (path: string) => path === classifierFile || path === classifierWeightsFile;

/** The manifest names the run, so it always differs. */
function hasEqualFiles(
  before: LockedArtefact,
  after: LockedArtefact,
  isLeftAside: (path: string) => boolean = () => false,
): boolean {
  const paths = new Set([...Object.keys(before.files), ...Object.keys(after.files)]);
  return [...paths].every(
    (path) =>
      path === manifestFile || isLeftAside(path) || before.files[path]?.sha256 === after.files[path]?.sha256,
  );
}
