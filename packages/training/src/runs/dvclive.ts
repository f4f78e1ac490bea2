import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import type { Curve } from "../trained-model.ts";

/** `train/loss`: parts of letters, digits, `.`, `_` and `-`. Also a path below `plots/metrics`. */
const metricName = /^(?!\.)[\w.-]+(\/(?!\.)[\w.-]+)*$/;

export const metricsFile = "dvclive/metrics.json";
const plotsFolder = "dvclive/plots/metrics";

/** What DVC's commands (`dvc metrics show`, `dvc plots show`, `dvc params diff`) look for, and where a run has it. */
export const dvcYaml = `params:
- params.json
metrics:
- ${metricsFile}
plots:
- ${plotsFolder}:
    x: step
`;

/** Where a curve's points lie, relative to the run's folder. */
export function curvePath(name: string): string {
  return `${plotsFolder}/${name}.tsv`;
}

/** A curve as DVCLive writes it: a head, and a line per point, with tabs. */
export function curveTsv({ name, points }: Curve): string {
  const lines = points.map(({ step, value }) => `${step}\t${value}\n`);
  return `step\t${lastPart(name)}\n${lines.join("")}`;
}

/** The points in a file that `curveTsv`, or DVCLive (with a column of times), wrote. Throws where it is another file. */
export function parseCurveTsv(name: string, text: string): Curve {
  const [head = "", ...lines] = text.trimEnd().split("\n");
  const columns = head.split("\t");
  const [stepAt, valueAt] = [columns.indexOf("step"), columns.indexOf(lastPart(name))];
  if (stepAt < 0 || valueAt < 0) throw new SyntaxError(`no columns "step" and "${lastPart(name)}"`);
  const points = lines.map((line) => {
    const cells = line.split("\t");
    const point = { step: Number(cells[stepAt]), value: Number(cells[valueAt] || Number.NaN) };
    if (!Number.isFinite(point.step + point.value)) throw new SyntaxError(`the line "${line}"`);
    return point;
  });
  return { name, points };
}

/** `{"train/loss": 1}` as `{"train": {"loss": 1}}`, with the step it is of. */
export function metricsJson(metrics: Readonly<Record<string, number>>, step: number): string {
  const nested: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(metrics)) {
    const parts = name.split("/");
    const last = parts.pop() as string;
    let level = nested;
    for (const part of parts) {
      level[part] ??= {};
      level = level[part] as Record<string, unknown>;
      assert(typeof level === "object", `"${part}" is a metric and a group of metrics`);
    }
    assert(!Object.hasOwn(level, last), `"${name}" is a metric and a group of metrics`);
    level[last] = value;
  }
  return `${JSON.stringify({ ...nested, step }, null, 2)}\n`;
}

/** What `metricsJson` wrote, by name again. Throws where it is something else. */
export function parseMetricsJson(text: string): { metrics: Record<string, number>; step: number } {
  const { step, ...nested } = JSON.parse(text);
  if (!Number.isFinite(step)) throw new SyntaxError("no step");
  const metrics: Record<string, number> = {};
  const visit = (level: object, prefix: string) => {
    for (const [part, value] of Object.entries(level)) {
      if (typeof value === "number") metrics[prefix + part] = value;
      else if (typeof value === "object" && value !== null) visit(value, `${prefix}${part}/`);
      else throw new SyntaxError(`"${prefix}${part}" is no number`);
    }
  };
  visit(nested, "");
  return { metrics, step };
}

/** A name that isn't one is a mistake of the caller; a value that isn't finite throws `training_diverged`. */
export function checkMetric(name: string, value: number): void {
  assert(metricName.test(name) && name !== "step", `"${name}" is no name of a metric`);
  if (Number.isFinite(value)) return;
  throw new MedleyError("training_diverged", `${name} is ${value}`, {
    mend: "lower the learning rate, or look for values in the data that are out of all proportion",
  });
}

/** `loss` of `train/loss`. */
export function lastPart(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
