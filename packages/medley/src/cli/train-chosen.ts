import { join } from "node:path";
import {
  type Collection,
  featuresOfSpace,
  hasArtefact,
  MedleyError,
  type SpaceDefinition,
} from "@medley/core";
import { artefactsFolder, type ModelLock } from "@medley/models";
import { loadConfig } from "../config/load-config.ts";
import { artefactOfRun } from "../train/artefact-of-run.ts";
import { trainSpace } from "../train/train-space.ts";
import { spaceNamed } from "../train/training-space.ts";
import type { Working } from "./assign.ts";
import { settingsOf } from "./context.ts";

/**
 * Trains what serves once an assignment is written, on all records: where the choice is another, or what is pinned is not of it, as after
 * an assignment that was cut off before it had trained. The lock never pins an artefact of what was not chosen. Spaces whose features are segments of others come after these. Returns what there is to say of each.
 */
export async function trainChosen(
  places: readonly { readonly place: string; readonly changes: boolean }[],
  { context, config, records, given, device, line }: Working,
): Promise<string[]> {
  const { environment } = settingsOf(context);
  const notes: string[] = [];
  const featuresAt = (place: string) =>
    featuresOfSpace(spaceNamed(config.collections, place).space.definition);
  const inOrder = places.toSorted((a, b) => featuresAt(a.place).length - featuresAt(b.place).length);
  for (const { place, changes } of inOrder) {
    // Each time: the training before has pinned its artefact.
    const { collections, lock } = await loadConfig(context.directory, context.global.config);
    const training = spaceNamed(collections, place);
    const { definition } = training.space;
    if (!hasArtefact(definition) || (!changes && (await isPinned(place, definition, lock)))) continue;
    const { run, note } = await trainSpace({
      ...training,
      ...{ records, device, models: { environment, lock }, settings: {} },
      lockFile: config.lock.file as string,
      seed: given.seed,
      threads: given.threads,
      signal: context.signal,
      onRun: () => {},
      onProgress: (progress) => line.update(place, progress),
    });
    line.stop();
    notes.push(`${place}: trained on all records, run ${run.record.id}`, ...(note === null ? [] : [note]));
  }
  return notes;
}

/** Whether what is pinned is of the space as it is configured. */
async function isPinned(place: string, definition: SpaceDefinition, lock: ModelLock): Promise<boolean> {
  const pinned = lock.trained[place];
  if (pinned === undefined) return false;
  try {
    const directory = join(artefactsFolder(lock.file, place), pinned.run);
    await artefactOfRun(pinned.run, { place, definition, directory });
    return true;
  } catch (error) {
    if (error instanceof MedleyError && error.code === "config_invalid") return false;
    throw error;
  }
}

/** How to train what serves and was never trained. */
export function untrainedNotes({ name, spaces }: Collection, { trained }: ModelLock): string[] {
  return spaces
    .filter(({ definition }) => hasArtefact(definition))
    .map((space) => `${name}.${space.name}`)
    .filter((place) => !Object.hasOwn(trained, place))
    .map((place) => `${place} serves once it is trained: medley train ${place}`);
}
