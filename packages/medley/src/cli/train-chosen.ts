import { hasArtefact } from "@medley/core";
import { loadConfig } from "../config/load-config.ts";
import { trainSpace } from "../train/train-space.ts";
import { spaceNamed } from "../train/training-space.ts";
import type { Working } from "./assign.ts";
import { settingsOf } from "./context.ts";

/**
 * Trains what an assignment has just written into the lock on all records: where the choice is another, or nothing is pinned. The lock never
 * pins an artefact of what was not chosen. Returns what there is to say of each.
 */
export async function trainChosen(
  places: readonly { readonly place: string; readonly changes: boolean }[],
  { context, config, records, given, device, line }: Working,
): Promise<string[]> {
  const { collections, lock } = await loadConfig(context.directory, context.global.config);
  const { environment } = settingsOf(context);
  const notes: string[] = [];
  for (const { place, changes } of places) {
    const training = spaceNamed(collections, place);
    const { definition } = training.space;
    if (!hasArtefact(definition) || (!changes && lock.trained[place] !== undefined)) continue;
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
