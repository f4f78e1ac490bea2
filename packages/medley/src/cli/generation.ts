import { MedleyError } from "@medley/core";
import { dropGeneration, readGenerations, rebuildProfiles, switchGeneration } from "@medley/store";
import {
  type Applied,
  applyGeneration,
  drainMsMax,
  otherGeneration,
} from "../generation/apply-generation.ts";
import type { Gate } from "../generation/gates.ts";
import { type GenerationChange, openChange, type SpaceChange } from "../generation/generation-change.ts";
import { type GenerationPlan, planGeneration } from "../generation/plan-generation.ts";
import { untilDone } from "../generation/until-done.ts";
import { type Context, logFault } from "./context.ts";
import type { Outcome } from "./output.ts";
import { count, duration, megabytes, Progress } from "./progress.ts";

export interface ApplyArguments {
  /** Default: the only one. */
  readonly collection: string | undefined;
  readonly rollback?: boolean;
  readonly finish?: boolean;
  readonly drop?: boolean;
  readonly missing?: number;
}

/** For a moment in which nobody stands in the way. */
const changeMsMax = 10_000;

/** `medley plan`: what a changed configuration asks of the rows. */
export async function planCommand(context: Context, named: string | undefined): Promise<Outcome> {
  await using resources = new AsyncDisposableStack();
  const change = await openChange(context, named, { loads: true, locks: false, resources });
  const plan = await planGeneration(change, context.signal);
  const generations = (await readGenerations(change.pool))
    .filter(({ collection }) => collection === plan.collection)
    .map(({ generation, state }) => ({ generation, state }));
  const there = generations.map(({ generation, state }) => `generation ${generation}: ${state}`);
  return { exitCode: 0, data: { ...plan, generations }, text: [...describedPlan(plan), ...there].join("\n") };
}

/** `medley apply`: makes and switches generations, as the role that owns the tables. */
export async function applyCommand(context: Context, given: ApplyArguments): Promise<Outcome> {
  if ([given.rollback, given.finish, given.drop].filter(Boolean).length > 1) {
    throw new MedleyError("usage", "--rollback, --finish and --drop are three different things", {
      mend: "give one of them",
    });
  }
  await using resources = new AsyncDisposableStack();
  const builds = !(given.rollback || given.finish || given.drop);
  const change = await openChange(context, given.collection, { loads: builds, locks: true, resources });
  if (given.rollback) return await rolledBack(change);
  if (given.finish || given.drop) return await ended(change, given.finish ? "kept" : "building");
  const applied = await applyWithProgress(change, context, given);
  return outcomeOf(change, applied);
}

async function applyWithProgress(
  change: GenerationChange,
  { signal }: Context,
  { missing }: ApplyArguments,
): Promise<Applied> {
  const bar = new Progress(`${change.live.collection}, next generation`, { unit: "rows" });
  try {
    const applied = await applyGeneration(change, {
      ...(missing === undefined ? {} : { missingMax: missing }),
      signal: AbortSignal.any([signal, change.lost]),
      onProgress: ({ phase, done, total, detail }) => bar.update({ done, total, phase: detail ?? phase }),
      onFault: ({ error }) =>
        logFault({ part: "carrier", message: error instanceof Error ? error.message : String(error) }),
    });
    if (applied.state === "interrupted") change.lost.throwIfAborted();
    return applied;
  } finally {
    bar.stop();
  }
}

function outcomeOf({ live }: GenerationChange, applied: Applied): Outcome {
  const { collection } = live;
  switch (applied.state) {
    case "unchanged":
      return { exitCode: 0, data: applied, text: `${collection}: its rows are as configured` };
    case "interrupted":
      return { exitCode: 130, data: applied, text: `${collection}: interrupted; the same command goes on` };
    case "held": {
      const lines = [
        ...applied.gates.map(describedGate),
        `${collection}: generation ${live.generation} stays live`,
      ];
      return { exitCode: 1, data: applied, text: lines.join("\n") };
    }
    case "live": {
      const lines = [
        ...applied.gates.map(describedGate),
        `${collection}: generation ${applied.generation} is live, switched in ${applied.switchMs.toFixed(0)} ms; generation ${applied.before} follows it`,
        `back: medley apply ${collection} --rollback; to the end: medley apply ${collection} --finish`,
      ];
      return { exitCode: 0, data: applied, text: lines.join("\n") };
    }
  }
}

async function rolledBack(change: GenerationChange): Promise<Outcome> {
  const { pool, live, embedded } = change;
  const { collection } = live;
  const kept = await otherGeneration(change, "kept");
  const startedMs = performance.now();
  const of = { collection, generation: kept.generation };
  const attempt = () => switchGeneration(pool, of, { drainMsMax: embedded ? 0 : drainMsMax });
  const failure = {
    what: "rows written since are not carried back yet, or searches hold the view",
    mend: "see that a process which embeds is there; then try again",
  };
  await untilDone(attempt, { msMax: changeMsMax, failure });
  const ms = performance.now() - startedMs;
  if (kept.profiles !== null)
    await rebuildProfiles(pool, collection, { signal: new AbortController().signal, onProgress: () => {} });
  const data = { collection, generation: kept.generation, before: live.generation, switchMs: ms };
  return {
    exitCode: 0,
    data,
    text: `${collection}: generation ${kept.generation} is live again, after ${ms.toFixed(0)} ms`,
  };
}

async function ended(change: GenerationChange, state: "kept" | "building"): Promise<Outcome> {
  const { collection } = change.live;
  const other = await otherGeneration(change, state);
  const { generation } = other;
  const attempt = () => dropGeneration(change.pool, { collection, generation });
  const failure = {
    what: `generation ${generation} of "${collection}" could not be ended: its table or the live one is in use`,
    mend: "a search or an export has been under way for long; try again when it is through",
  };
  await untilDone(attempt, { msMax: changeMsMax, failure });
  const data = { collection, dropped: generation };
  return { exitCode: 0, data, text: `${collection}: generation ${generation} is gone` };
}

function describedGate({ name, passed, detail }: Gate): string {
  return `${passed ? "passed" : "HELD  "}  ${name}: ${detail}`;
}

function describedPlan(plan: GenerationPlan): readonly string[] {
  if (plan.generation === null) return [`${plan.collection}: its rows are as configured`];
  const rate =
    plan.rowsPerSecond === null
      ? ""
      : `, about ${duration(plan.hours * 3_600)} at ${plan.rowsPerSecond.toFixed(0)} rows/s`;
  return [
    `${plan.collection}: generation ${plan.generation} of ${count(plan.rows)} rows, ${megabytes(plan.bytes)} beside the live one${rate}`,
    ...plan.spaces.map(describedSpace),
    ...(plan.remote === null
      ? []
      : [
          `  an endpoint is asked for ${count(plan.remote.inputs)} inputs of ${count(plan.remote.characters)} characters`,
        ]),
    `to do so: medley apply ${plan.collection}`,
  ];
}

function describedSpace({ space, how, dimensions, usesModel }: SpaceChange): string {
  const by = how === "encoded" ? (usesModel ? ", by a model" : ", closed form") : "";
  return `  ${space}: ${how}${by}, ${dimensions} dimensions`;
}
