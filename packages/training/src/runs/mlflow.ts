import { setTimeout as sleep } from "node:timers/promises";
import { MedleyError } from "@medley/core";
import type { Run } from "./run-folder.ts";
import { flattened, type RunState } from "./run-record.ts";

export interface MlflowOptions {
  /** Of the tracking server: `http://localhost:5000`. */
  readonly url: string;
  readonly experiment: string;
  /** The whole header, as `Bearer ...`. */
  readonly authorization?: string;
  /** Of one request. Default 10,000. */
  readonly timeoutMs?: number;
  /** Of one request, the first one included. Default 4. */
  readonly attemptsMax?: number;
  /** Before the second attempt, doubled before each further one. Default 250. */
  readonly backoffMs?: number;
  readonly signal?: AbortSignal;
}

/** What one `log-batch` may hold (MLflow REST API, Log Batch). */
const [metricsPerBatchMax, parametersPerBatchMax] = [1000, 100];
/** Of a parameter's value: what servers before MLflow 2.8 take. */
const parameterLettersMax = 500;
const retryAfterMsMax = 10_000;
/** By this tag a run is found again, so that telling it twice makes no second one. */
const runTag = "medley.run";

const statuses: Record<RunState, string> = {
  running: "RUNNING",
  done: "FINISHED",
  interrupted: "KILLED",
  failed: "FAILED",
};

/**
 * Tells a run to an MLflow tracking server over REST (API 2.0): its parameters, curves, last metrics and state. Told again, it updates the
 * same run there. Requests that time out, break, or are answered 429 or 5xx are tried again, `attemptsMax` times at most.
 * Throws `tracking_unavailable`; the run's folder has everything anyway.
 */
export async function logToMlflow(
  run: Run,
  options: MlflowOptions,
): Promise<{ readonly mlflowRunId: string }> {
  const { record, parameters } = run;
  const client = new MlflowClient(options);
  const experimentId = await experimentOf(client, options.experiment);
  const mlflowRunId =
    (await foundRun(client, experimentId, record.id)) ?? (await createdRun(client, experimentId, run));
  const params = [...flattened(parameters)].map(([key, value]) => ({
    key,
    value: String(value).slice(0, parameterLettersMax),
  }));
  for (const batch of chunks(params, parametersPerBatchMax)) {
    await client.post("runs/log-batch", { run_id: mlflowRunId, params: batch });
  }
  for (const batch of chunks(metricsOf(run), metricsPerBatchMax)) {
    await client.post("runs/log-batch", { run_id: mlflowRunId, metrics: batch });
  }
  const end = record.endedAt === null ? {} : { end_time: Date.parse(record.endedAt) };
  await client.post("runs/update", { run_id: mlflowRunId, status: statuses[record.state], ...end });
  return { mlflowRunId };
}

/** The same time for all of a run's points: MLflow drops points that it has, time included. */
function metricsOf({ record, curves, metrics }: Run): readonly object[] {
  const timestamp = Date.parse(record.startedAt);
  const points = curves.flatMap(({ name, points }) =>
    points.map(({ step, value }) => ({ key: name, value, timestamp, step })),
  );
  const stepMax = points.reduce((max, { step }) => Math.max(max, step), 0);
  const last = new Map(curves.map(({ name, points }) => [name, points.at(-1)?.value]));
  const final = Object.entries(metrics)
    .filter(([name, value]) => last.get(name) !== value)
    // MLflow shows the value of the highest step: what is known of the model that is kept comes after its curve.
    .map(([key, value]) => ({ key, value, timestamp, step: stepMax + 1 }));
  return [...points, ...final];
}

async function experimentOf(client: MlflowClient, name: string): Promise<string> {
  const find = () => client.get("experiments/get-by-name", { experiment_name: name });
  const found = await find().catch((error) => unless(error, "RESOURCE_DOES_NOT_EXIST"));
  if (found !== undefined) return textAt(found, "experiment", "experiment_id");
  const created = await client
    .post("experiments/create", { name })
    .catch((error) => unless(error, "RESOURCE_ALREADY_EXISTS"));
  if (created !== undefined) return textAt(created, "experiment_id");
  return textAt(await find(), "experiment", "experiment_id"); // Another process has made it in between.
}

async function foundRun(client: MlflowClient, experimentId: string, id: string): Promise<string | undefined> {
  const found = await client.post("runs/search", {
    ...{ experiment_ids: [experimentId], filter: `tags."${runTag}" = '${id}'`, max_results: 1 },
  });
  return optionalTextAt(found, "runs", 0, "info", "run_id");
}

async function createdRun(client: MlflowClient, experimentId: string, { record }: Run): Promise<string> {
  const tags = { [runTag]: record.id, "medley.model": record.model, "medley.kind": record.kind };
  const created = await client.post("runs/create", {
    experiment_id: experimentId,
    run_name: `${record.model} ${record.id}`,
    start_time: Date.parse(record.startedAt),
    tags: [
      ...Object.entries(tags).map(([key, value]) => ({ key, value })),
      { key: "medley.data.sha256", value: record.data.sha256 },
    ],
  });
  return textAt(created, "run", "info", "run_id");
}

/** An answer that is no success and won't become one by asking again. */
class Refusal extends MedleyError {
  readonly mlflowCode: string;

  constructor(path: string, status: number, mlflowCode: string) {
    super("tracking_unavailable", `MLflow answers ${path} with ${status} ${mlflowCode}`, {
      mend: "look at the tracking server's address, rights and version",
    });
    this.mlflowCode = mlflowCode;
  }
}

function unless(error: unknown, mlflowCode: string): undefined {
  if (!(error instanceof Refusal) || error.mlflowCode !== mlflowCode) throw error;
}

/** The text at a path of an answer; an answer without it is not MLflow's. */
function textAt(answer: unknown, ...path: readonly (string | number)[]): string {
  const found = optionalTextAt(answer, ...path);
  if (found === undefined) throw new Refusal(path.join("."), 200, "without that field");
  return found;
}

function optionalTextAt(answer: unknown, ...path: readonly (string | number)[]): string | undefined {
  const found = path.reduce<unknown>(
    (level, part) => (level as Record<string, unknown> | undefined)?.[part],
    answer,
  );
  return typeof found === "string" ? found : undefined;
}

class MlflowClient {
  readonly #options: MlflowOptions;

  constructor(options: MlflowOptions) {
    this.#options = options;
  }

  async get(path: string, query: Readonly<Record<string, string>>): Promise<unknown> {
    return this.#request(`${path}?${new URLSearchParams(query)}`, { method: "GET" });
  }

  async post(path: string, body: object): Promise<unknown> {
    return this.#request(path, { method: "POST", body: JSON.stringify(body) });
  }

  async #request(path: string, init: RequestInit): Promise<unknown> {
    const { attemptsMax = 4, backoffMs = 250, signal } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted();
      const outcome = await this.#attempt(path, init);
      if ("answer" in outcome) return outcome.answer;
      if (attempt >= attemptsMax) {
        throw new MedleyError(
          "tracking_unavailable",
          `MLflow did not answer ${path.split("?")[0]} in ${attempt} attempts: ${outcome.reason}`,
          { mend: "see that the tracking server runs, and tell the run again" },
        );
      }
      const waitMs = Math.max(outcome.retryAfterMs, backoffMs * 2 ** (attempt - 1));
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal });
    }
  }

  /** One request: its answer, or why it may be tried again. */
  async #attempt(
    path: string,
    init: RequestInit,
  ): Promise<{ answer: unknown } | { reason: string; retryAfterMs: number }> {
    const { url, authorization, timeoutMs = 10_000, signal } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(`${url.replace(/\/+$/, "")}/api/2.0/mlflow/${path}`, {
        ...init,
        headers: { "content-type": "application/json", ...(authorization && { authorization }) },
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      });
      // A proxy may answer with a page; the timeout holds for its body too.
      const text = await response.text();
      const body = jsonOf(text);
      if (response.ok && body !== undefined) return { answer: body };
      if (response.status < 500 && response.status !== 429) {
        const code = optionalTextAt(body, "error_code") ?? "without MLflow's JSON";
        throw new Refusal(path.split("?")[0] as string, response.status, code);
      }
      const retryAfterMs = Math.min(
        Number(response.headers.get("retry-after") ?? 0) * 1000 || 0,
        retryAfterMsMax,
      );
      return { reason: `status ${response.status}`, retryAfterMs };
    } catch (error) {
      if (error instanceof Refusal) throw error;
      signal?.throwIfAborted();
      const { message, cause } = error as Error;
      return { reason: cause instanceof Error ? cause.message : message, retryAfterMs: 0 };
    }
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function* chunks<Item>(items: readonly Item[], countMax: number): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += countMax) yield items.slice(start, start + countMax);
}
