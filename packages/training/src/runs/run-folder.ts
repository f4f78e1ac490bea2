import { strict as assert } from "node:assert";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MedleyError } from "@medley/core";
import { writeFileAtomic } from "@medley/models";
import type { Curve } from "../trained-model.ts";
import { curveSvg } from "./curve-svg.ts";
import {
  checkMetric,
  curvePath,
  curveTsv,
  dvcYaml,
  lastPart,
  metricsFile,
  metricsJson,
  parseCurveTsv,
  parseMetricsJson,
} from "./dvclive.ts";
import { type ModelCard, modelCard } from "./model-card.ts";
import {
  isRunId,
  newRunId,
  type Parameters,
  type RunRecord,
  type RunStart,
  type RunState,
} from "./run-record.ts";

/** What a run has on the disk. */
export interface Run {
  readonly record: RunRecord;
  readonly parameters: Parameters;
  /** The newest of each, by name. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly curves: readonly Curve[];
}

/** What is known when a run ends. */
export interface RunEnd {
  readonly state: Exclude<RunState, "running">;
  /** Of the model that is kept; they replace those of the last step. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** Whole ones that were not logged step by step. */
  readonly curves?: readonly Curve[];
  /** As it turned out to be, where it was not known at the start. */
  readonly split?: RunStart["split"] | undefined;
  readonly card?: Pick<ModelCard, "summary" | "licence" | "dataLicence">;
}

/** Per curve: enough for a point a minute over ten weeks, and little to write again at each. */
const pointsMax = 100_000;

/**
 * `runs/<id>/`, the trace a training leaves: `run.json`, `params.json`, metrics and curves where DVCLive has them
 * (`dvclive/metrics.json`, `dvclive/plots/metrics/train/loss.tsv`), `dvc.yaml` for DVC's commands, and at the end `curves/*.svg`
 * and a model card `README.md`.
 *
 * States: running (created or opened), then done, interrupted or failed by `finish`. A run that was killed says "running" until it is
 * opened again. Every file is replaced whole, so a kill leaves the state before or after a step, never half of one. A step that is logged
 * again (after a resume) takes the place of what was logged from that step on. Bounds: 100,000 points per curve, held in memory.
 * One writer at a time. Throws `data_not_writable`, `run_damaged`, `not_found`.
 */
export class RunFolder {
  readonly path: string;
  #record: RunRecord;
  readonly #parameters: Parameters;
  readonly #metrics: Record<string, number>;
  #step: number;
  readonly #curves: Map<string, Curve["points"][number][]>;

  private constructor(path: string, { record, parameters, metrics, curves }: Run, step: number) {
    this.path = path;
    this.#record = record;
    this.#parameters = parameters;
    this.#metrics = { ...metrics };
    this.#curves = new Map(curves.map(({ name, points }) => [name, [...points]]));
    this.#step = step;
  }

  /** A new run below `root`, which is made where it isn't there. */
  static async create(root: string, start: RunStart, { nowMs = Date.now() } = {}): Promise<RunFolder> {
    const { parameters, ...known } = start;
    const id = newRunId(nowMs);
    const record: RunRecord = {
      ...{ format: "medley-run", formatVersion: 1, id, ...known },
      ...{ state: "running", startedAt: new Date(nowMs).toISOString(), endedAt: null },
    };
    const path = join(root, id);
    const folder = new RunFolder(path, { record, parameters, metrics: {}, curves: [] }, 0);
    await writeFileAtomic(join(path, "params.json"), `${JSON.stringify(parameters, null, 2)}\n`);
    await writeFileAtomic(join(path, "dvc.yaml"), dvcYaml);
    await folder.#writeMetrics();
    await folder.#writeRecord();
    return folder;
  }

  /** A run that is there, to go on with: it is running again. */
  static async open(root: string, id: string): Promise<RunFolder> {
    const run = await readRun(root, id);
    const steps = run.curves.flatMap(({ points }) => points.at(-1)?.step ?? 0);
    const folder = new RunFolder(join(root, id), run, Math.max(0, ...steps));
    folder.#record = { ...run.record, state: "running", endedAt: null };
    await folder.#writeRecord();
    return folder;
  }

  /** What is known of it now. A copy. */
  get run(): Run {
    const names = [...this.#curves.keys()].sort();
    const curves = names.map((name) => ({ name, points: [...(this.#curves.get(name) ?? [])] }));
    return { record: this.#record, parameters: this.#parameters, metrics: { ...this.#metrics }, curves };
  }

  /** Metrics of one step (an epoch, mostly), a point on the curve of each. */
  async log(step: number, metrics: Readonly<Record<string, number>>): Promise<void> {
    assert(Number.isSafeInteger(step) && step >= 0, "a step from 0");
    for (const [name, value] of Object.entries(metrics)) checkMetric(name, value);
    for (const [name, value] of Object.entries(metrics)) {
      const points = (this.#curves.get(name) ?? []).filter((point) => point.step < step);
      assert(points.length < pointsMax, `fewer than ${pointsMax} points of ${name}`);
      points.push({ step, value });
      this.#curves.set(name, points);
      this.#metrics[name] = value;
      await this.#writeCurve({ name, points });
    }
    this.#step = step;
    await this.#writeMetrics();
  }

  /** The last word on a run, with curves as pictures and a model card. */
  async finish(end: RunEnd, { nowMs = Date.now() } = {}): Promise<Run> {
    for (const [name, value] of Object.entries(end.metrics ?? {})) checkMetric(name, value);
    for (const { name, points } of end.curves ?? []) {
      for (const { value } of points) checkMetric(name, value);
      this.#curves.set(name, points.slice(-pointsMax));
      this.#step = Math.max(this.#step, points.at(-1)?.step ?? 0);
      await this.#writeCurve({ name, points });
    }
    Object.assign(this.#metrics, end.metrics);
    await this.#writeMetrics();
    await this.#drawCurves();
    const { split = this.#record.split } = end;
    this.#record = { ...this.#record, split, state: end.state, endedAt: new Date(nowMs).toISOString() };
    await writeFileAtomic(join(this.path, "README.md"), modelCard({ run: this.run, ...end.card }));
    await this.#writeRecord();
    return this.run;
  }

  /** One picture per kind of value: `train/loss` and `validation/loss` are both in `curves/loss.svg`. */
  async #drawCurves(): Promise<void> {
    const drawn = this.run.curves.filter(({ points }) => points.length > 1);
    for (const [title, curves] of Map.groupBy(drawn, ({ name }) => lastPart(name))) {
      await writeFileAtomic(join(this.path, "curves", `${title}.svg`), curveSvg(title, curves));
    }
  }

  async #writeCurve(curve: Curve): Promise<void> {
    await writeFileAtomic(join(this.path, curvePath(curve.name)), curveTsv(curve));
  }
  async #writeMetrics(): Promise<void> {
    await writeFileAtomic(join(this.path, metricsFile), metricsJson(this.#metrics, this.#step));
  }
  async #writeRecord(): Promise<void> {
    await writeFileAtomic(join(this.path, "run.json"), `${JSON.stringify(this.#record, null, 2)}\n`);
  }
}

/** Throws `not_found` where there is no run of that id, `run_damaged` where its files can't be read. */
export async function readRun(root: string, id: string): Promise<Run> {
  const path = join(root, id);
  if (!isRunId(id) || !existsSync(join(path, "run.json"))) {
    const mend = 'look at the ids that "medley models compare" lists';
    throw new MedleyError("not_found", `there is no run "${id}" in ${root}`, { mend });
  }
  try {
    const record = JSON.parse(await readFile(join(path, "run.json"), "utf8")) as RunRecord;
    if (record.format !== "medley-run" || record.formatVersion !== 1)
      throw new SyntaxError("run.json is no run's");
    const parameters = JSON.parse(await readFile(join(path, "params.json"), "utf8")) as Parameters;
    const { metrics } = parseMetricsJson(await readFile(join(path, metricsFile), "utf8"));
    return { record, parameters, metrics, curves: await readCurves(path) };
  } catch (cause) {
    throw new MedleyError("run_damaged", `the run in ${path} can't be read: ${(cause as Error).message}`, {
      mend: "remove its folder, and train again",
      cause,
    });
  }
}

async function readCurves(path: string): Promise<Curve[]> {
  const folder = join(path, dirname(curvePath("any")));
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  const names = files.filter((file) => file.endsWith(".tsv")).map((file) => file.slice(0, -4));
  const curves = names.sort().map(async (name) => {
    return parseCurveTsv(name, await readFile(join(path, curvePath(name)), "utf8"));
  });
  return Promise.all(curves);
}
