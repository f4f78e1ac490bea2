import { MedleyError } from "@medley/core";
import { type DataFingerprint, type Run, readRun, type SettingValue, type Trainer } from "@medley/training";
import type { TrainingSpace } from "./training-space.ts";

export interface ResumedRun extends TrainingSpace {
  /** Its id. */
  readonly resume: string;
  /** As given beside it; what is left out is the run's own. */
  readonly seed?: number | undefined;
  readonly settings: Readonly<Record<string, SettingValue>>;
}

/**
 * The run to go on with, which nothing is changed of yet. A training that goes on with other settings comes to neither what it began as nor to
 * what was asked for, so those given have to be its own. Throws `usage`, `source_changed` for a run of another space, `not_found`, `run_damaged`.
 */
export async function resumedRun(root: string, options: ResumedRun, trainer: Trainer): Promise<Run> {
  const { place, space, resume } = options;
  if (!trainer.resumes) {
    throw new MedleyError("usage", `trainings of encoder "${space.definition.encoder}" can't be resumed`, {
      mend: `begin anew: medley train ${place}`,
    });
  }
  const run = await readRun(root, resume);
  if (run.record.model !== place) throw otherRun(resume, `is of ${run.record.model}`, place);
  const differing = [...differences(run, options)];
  if (differing.length === 0) return run;
  throw new MedleyError("usage", `run ${resume} was begun with ${differing.join(", ")}`, {
    mend: "leave --seed, --set and --epochs out, or begin anew without --resume",
  });
}

/** Throws `source_changed` for other records than it began with. */
export function checkData({ record }: Run, data: DataFingerprint, place: string): void {
  if (record.data.sha256 !== data.sha256) throw otherRun(record.id, "was begun with other records", place);
}

function otherRun(resume: string, what: string, place: string): MedleyError {
  return new MedleyError("source_changed", `run ${resume} ${what}`, {
    mend: `give it the records that it began with, or begin anew: medley train ${place}`,
  });
}

function* differences(
  { record, parameters }: Run,
  { seed, settings }: Pick<ResumedRun, "seed" | "settings">,
): Generator<string> {
  if (seed !== undefined && seed !== record.seed) yield `seed ${record.seed}, not ${seed}`;
  const own = (parameters.settings ?? {}) as ResumedRun["settings"];
  for (const [name, value] of Object.entries(settings)) {
    // A default may have become another one since.
    const before = Object.hasOwn(own, name) ? `${name}=${own[name]}` : `the default of ${name}`;
    if (own[name] !== value) yield `${before}, not ${value}`;
  }
}
