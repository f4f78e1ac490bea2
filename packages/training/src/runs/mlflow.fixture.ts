import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

interface MlflowRun {
  readonly id: string;
  readonly experimentId: string;
  readonly tags: Record<string, string>;
  readonly params: Record<string, string>;
  readonly metrics: { key: string; value: number; step: number; timestamp: number }[];
  status: string;
  endTime?: number;
}

/** The fields of requests that are read. */
interface Body {
  readonly name: string;
  readonly filter: string;
  readonly experiment_ids: readonly string[];
  readonly experiment_id: string;
  readonly run_id: string;
  readonly status: string;
  readonly end_time?: number;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
  readonly params?: readonly { readonly key: string; readonly value: string }[];
  readonly metrics?: MlflowRun["metrics"];
}

type Fault = "refuse" | "hang" | "cut" | "page" | 429 | 500;

/**
 * The part of MLflow's tracking server that runs are told to, with its rules: names of experiments are unique, a batch has its bounds, a
 * parameter does not change. `faults` are what the next requests meet, in order.
 */
export class MlflowServer {
  readonly experiments: string[] = [];
  readonly runs: MlflowRun[] = [];
  readonly requests: { path: string; authorization: string | undefined }[] = [];
  faults: Fault[] = [];
  /** So many questions for an experiment are answered as if it were not there yet. */
  hiddenTimes = 0;
  url = "";

  static async start(): Promise<MlflowServer> {
    const mlflow = new MlflowServer();
    const server = createServer(async (request, response) => {
      const url = new URL(request.url ?? "", "http://localhost");
      const path = url.pathname.replace("/api/2.0/mlflow/", "");
      mlflow.requests.push({ path, authorization: request.headers.authorization });
      const fault = mlflow.faults.shift();
      if (fault === "hang") return;
      if (fault === "cut") return void request.socket.destroy();
      if (fault === "page") return void response.end("<html>sign in</html>");
      if (typeof fault === "number") return void response.writeHead(fault).end("busy");
      const [status, answer] =
        fault === "refuse"
          ? refusal("PERMISSION_DENIED", 403)
          : mlflow.#answer(path, url.searchParams, await bodyOf(request));
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    mlflow.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    onTestFinished(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return mlflow;
  }

  #answer(path: string, query: URLSearchParams, body: Body): [number, unknown] {
    if (path === "experiments/get-by-name") {
      const at = this.experiments.indexOf(query.get("experiment_name") as string);
      const isHidden = this.hiddenTimes-- > 0;
      return at < 0 || isHidden
        ? refusal("RESOURCE_DOES_NOT_EXIST", 404)
        : [200, { experiment: { experiment_id: String(at) } }];
    }
    if (path === "experiments/create") {
      if (this.experiments.includes(body.name)) return refusal("RESOURCE_ALREADY_EXISTS", 400);
      return [200, { experiment_id: String(this.experiments.push(body.name) - 1) }];
    }
    if (path === "runs/search") {
      const [, tag, value] = /^tags\."(.+)" = '(.+)'$/.exec(body.filter) ?? [];
      const found = this.runs.filter(
        ({ experimentId, tags }) =>
          body.experiment_ids.includes(experimentId) && tags[tag as string] === value,
      );
      return [200, found.length === 0 ? {} : { runs: found.map(({ id }) => ({ info: { run_id: id } })) }];
    }
    if (path === "runs/create") {
      const id = `mlflow-${this.runs.length}`;
      const tags = Object.fromEntries(body.tags.map(({ key, value }) => [key, value]));
      const rest = { params: {}, metrics: [], status: "RUNNING" };
      this.runs.push({ id, experimentId: body.experiment_id, tags, ...rest });
      return [200, { run: { info: { run_id: id } } }];
    }
    const run = this.runs.find(({ id }) => id === body.run_id);
    if (run === undefined) return refusal("RESOURCE_DOES_NOT_EXIST", 404);
    if (path === "runs/update") {
      run.status = body.status;
      if (body.end_time !== undefined) run.endTime = body.end_time;
      return [200, { run_info: {} }];
    }
    return path === "runs/log-batch" ? logBatch(run, body) : refusal("ENDPOINT_NOT_FOUND", 404);
  }
}

function logBatch(run: MlflowRun, body: Body): [number, unknown] {
  const params = body.params ?? [];
  const metrics = body.metrics ?? [];
  if (params.length > 100 || metrics.length > 1000) return refusal("INVALID_PARAMETER_VALUE", 400);
  for (const { key, value } of params) {
    if ((run.params[key] ?? value) !== value || value.length > 500)
      return refusal("INVALID_PARAMETER_VALUE", 400);
    run.params[key] = value;
  }
  const known = new Set(run.metrics.map((metric) => JSON.stringify(metric)));
  run.metrics.push(...metrics.filter((metric) => !known.has(JSON.stringify(metric))));
  return [200, {}];
}

function refusal(code: string, status: number): [number, unknown] {
  return [status, { error_code: code, message: code }];
}

async function bodyOf(request: IncomingMessage): Promise<Body> {
  const text = Buffer.concat(await request.toArray()).toString();
  return JSON.parse(text === "" ? "{}" : text);
}
