import { dirname, join } from "node:path";
import { MedleyError } from "@medley/core";
import { compareRuns, listRuns, type Run, type RunComparison } from "@medley/training";
import { spaceNamed } from "../train/training-space.ts";
import { type Context, configOf } from "./context.ts";
import { type Outcome, table } from "./output.ts";

/** `medley models compare COLLECTION.SPACE [RUN RUN]`: the newest two, or those that are named. */
export async function compareCommand(
  context: Context,
  place: string,
  ids: readonly string[],
): Promise<Outcome> {
  const { collections, lock } = await configOf(context);
  spaceNamed(collections, place);
  if (ids.length === 1 || ids.length > 2) {
    throw new MedleyError("usage", `two runs are compared, not ${ids.length}`, {
      mend: "name two, or none for the newest two",
    });
  }
  const root = join(dirname(lock.file as string), "runs");
  const { runs, damaged } = await listRuns(root, { model: place });
  const pinned = lock.trained[place]?.run ?? null;
  const chosen = ids.length === 0 ? runs.slice(0, 2).reverse() : ids.map((id) => runNamed(runs, id, place));
  const [a, b] = chosen;
  const comparison = a === undefined || b === undefined ? null : compareRuns(a, b);
  const parts = [
    ...(a === undefined ? [`no run of ${place} yet: medley train ${place}`] : [runTable(runs, pinned)]),
    ...(a !== undefined && comparison === null ? [metricTable(a)] : []),
    ...(a && b && comparison ? comparisonTables(comparison, [a.record.id, b.record.id]) : []),
    ...damaged.map((id) => `run ${id} can't be read`),
  ];
  const data = {
    space: place,
    pinned,
    runs: runs.map(({ record }) => record),
    damaged,
    comparison: comparison && { a: a?.record.id, b: b?.record.id, ...comparison },
  };
  return { exitCode: 0, data, text: parts.join("\n\n") };
}

function runNamed(runs: readonly Run[], id: string, place: string): Run {
  const run = runs.find(({ record }) => record.id === id);
  if (run !== undefined) return run;
  throw new MedleyError("not_found", `there is no run "${id}" of ${place}`, {
    mend: `known: ${runs.map(({ record }) => record.id).join(", ") || "none"}`,
  });
}

function runTable(runs: readonly Run[], pinned: string | null): string {
  const rows = runs.map(({ record: { id, state, startedAt, seed, data } }) => [
    id,
    state,
    startedAt,
    seed,
    data.count,
    id === pinned ? "yes" : "",
  ]);
  return table(["run", "state", "started", "seed", "records", "serves"], rows);
}

function metricTable({ metrics }: Run): string {
  return table(
    ["metric", "value"],
    Object.entries(metrics).map(([name, value]) => [name, figure(value)]),
  );
}

function comparisonTables(
  { metrics, parameters, isSameData }: RunComparison,
  names: readonly [string, string],
): string[] {
  const metricRows = metrics.map(({ name, a, b, difference }) => [
    name,
    figure(a),
    figure(b),
    figure(difference),
  ]);
  const parameterRows = parameters.map(({ name, a, b }) => [name, shown(a), shown(b)]);
  return [
    table(["metric", ...names, "difference"], metricRows),
    ...(parameterRows.length === 0 ? [] : [table(["setting", ...names], parameterRows)]),
    ...(isSameData ? [] : ["trained on other records, or parted otherwise: their metrics do not compare"]),
  ];
}

function figure(value: number | null): string {
  return value === null ? "-" : String(Number(value.toPrecision(5)));
}

function shown(value: unknown): string {
  return value === undefined ? "-" : String(value);
}
