import { dirname, join } from "node:path";
import { MedleyError } from "@medley/core";
import { compareRuns, listRuns, type Run } from "@medley/training";
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
  const { runs, damaged } = await listRuns(join(dirname(lock.file as string), "runs"), { model: place });
  const pinned = lock.trained[place]?.run ?? null;
  const chosen = ids.length === 0 ? runs.slice(0, 2).reverse() : ids.map((id) => runNamed(runs, id, place));
  const list = table(
    ["run", "state", "started", "seed", "records", "serves"],
    runs.map(({ record }) => [
      record.id,
      record.state,
      record.startedAt,
      record.seed,
      record.data.count,
      record.id === pinned ? "yes" : "",
    ]),
  );
  const [a, b] = chosen;
  if (a === undefined || b === undefined) {
    const metrics = table(
      ["metric", "value"],
      Object.entries(a?.metrics ?? {}).map(([name, value]) => [name, figure(value)]),
    );
    const text = a === undefined ? `no run of ${place} yet: medley train ${place}` : `${list}\n\n${metrics}`;
    return {
      exitCode: 0,
      data: { space: place, pinned, runs: runs.map(({ record }) => record), damaged, comparison: null },
      text,
    };
  }
  const comparison = compareRuns(a, b);
  const names = [a.record.id, b.record.id];
  const text = [
    list,
    table(
      ["metric", ...names, "difference"],
      comparison.metrics.map((metric) => [
        metric.name,
        figure(metric.a),
        figure(metric.b),
        figure(metric.difference),
      ]),
    ),
    ...(comparison.parameters.length === 0
      ? []
      : [
          table(
            ["setting", ...names],
            comparison.parameters.map(({ name, a: one, b: other }) => [name, shown(one), shown(other)]),
          ),
        ]),
    ...(comparison.isSameData
      ? []
      : ["they were trained on other records, or parted otherwise: their metrics do not compare"]),
    ...damaged.map((id) => `run ${id} can't be read`),
  ].join("\n\n");
  const data = {
    space: place,
    pinned,
    runs: runs.map(({ record }) => record),
    damaged,
    comparison: { a: names[0], b: names[1], ...comparison },
  };
  return { exitCode: 0, data, text };
}

function runNamed(runs: readonly Run[], id: string, place: string): Run {
  const run = runs.find(({ record }) => record.id === id);
  if (run !== undefined) return run;
  throw new MedleyError("not_found", `there is no run "${id}" of ${place}`, {
    mend: `known: ${runs.map(({ record }) => record.id).join(", ") || "none"}`,
  });
}

function figure(value: number | null): string {
  return value === null ? "-" : String(Number(value.toPrecision(5)));
}

function shown(value: unknown): string {
  return value === undefined ? "-" : String(value);
}
