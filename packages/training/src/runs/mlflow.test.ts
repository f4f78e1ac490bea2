import { expect, test } from "vitest";
import { MlflowServer } from "./mlflow.fixture.ts";
import { logToMlflow } from "./mlflow.ts";
import { someStart, temporaryFolder } from "./run.fixture.ts";
import { RunFolder } from "./run-folder.ts";

async function someRun() {
  const folder = await RunFolder.create(await temporaryFolder(), someStart);
  for (const step of [0, 1, 2])
    await folder.log(step, { "train/loss": 1 / (step + 1), "validation/loss": 1 });
  return folder.finish({ state: "done", metrics: { "validation/loss": 0.5, "test/accuracy": 0.75 } });
}

const optionsOf = ({ url }: MlflowServer) => ({ url, experiment: "films", backoffMs: 1, timeoutMs: 2_000 });

test("a run becomes MLflow's: experiment, tags, parameters, every point, the kept model's metrics last, its end", async () => {
  const [server, run] = [await MlflowServer.start(), await someRun()];
  const { mlflowRunId } = await logToMlflow(run, { ...optionsOf(server), authorization: "Bearer secret" });
  expect(server.experiments).toEqual(["films"]);
  const [told] = server.runs;
  expect(told).toMatchObject({
    id: mlflowRunId,
    status: "FINISHED",
    endTime: Date.parse(run.record.endedAt ?? ""),
  });
  expect(told?.tags).toMatchObject({ "medley.run": run.record.id, "medley.model": "films.plot" });
  expect(told?.params).toEqual({
    ...{ dimensions: "64", ngrams: "[1,2]", target: "null" },
    ...{ "optimiser.learningRate": "0.001", "optimiser.weightDecay": "0" },
  });
  const points = told?.metrics.map(({ key, step, value }) => `${key} ${step} ${value}`);
  expect(points).toHaveLength(8);
  expect(points).toContain("train/loss 1 0.5");
  expect(points).toContain("validation/loss 3 0.5");
  expect(points).toContain("test/accuracy 3 0.75");
  expect(server.requests.every(({ authorization }) => authorization === "Bearer secret")).toBe(true);
});

test("told twice it is one run with the same points", async () => {
  const [server, run] = [await MlflowServer.start(), await someRun()];
  const first = await logToMlflow(run, optionsOf(server));
  expect(await logToMlflow(run, optionsOf(server))).toEqual(first);
  expect(server.experiments).toHaveLength(1);
  expect(server.runs).toHaveLength(1);
  expect(server.runs[0]?.metrics).toHaveLength(8);
});

test("more points and parameters than a batch holds go in several", async () => {
  const server = await MlflowServer.start();
  const parameters = Object.fromEntries(Array.from({ length: 250 }, (_, at) => [`p${at}`, "x".repeat(600)]));
  const points = Array.from({ length: 2_500 }, (_, step) => ({ step, value: step }));
  const folder = await RunFolder.create(await temporaryFolder(), { ...someStart, parameters });
  const run = await folder.finish({ state: "interrupted", curves: [{ name: "train/loss", points }] });
  await logToMlflow(run, optionsOf(server));
  expect(Object.keys(server.runs[0]?.params ?? {})).toHaveLength(250);
  expect(server.runs[0]?.metrics).toHaveLength(2_500);
  expect(server.runs[0]?.status).toBe("KILLED");
});

test("an experiment that another process makes in between is taken", async () => {
  const [server, run] = [await MlflowServer.start(), await someRun()];
  server.hiddenTimes = 1;
  server.experiments.push("films");
  await logToMlflow(run, optionsOf(server));
  expect(server.experiments).toEqual(["films"]);
  expect(server.runs).toHaveLength(1);
});

test("what passes is tried again: a cut line, a server that is busy or does not answer", async () => {
  const [server, run] = [await MlflowServer.start(), await someRun()];
  server.faults = ["cut", 500, 429];
  await logToMlflow(run, optionsOf(server));
  expect(server.requests.filter(({ path }) => path === "experiments/get-by-name")).toHaveLength(4);
  server.faults = ["hang"];
  await logToMlflow(run, { ...optionsOf(server), timeoutMs: 100 });
  expect(server.runs).toHaveLength(1);
});

test("attempts have a bound, and what is refused is not tried again", async () => {
  const [server, run] = [await MlflowServer.start(), await someRun()];
  server.faults = [500, 500, 500, 500, 500];
  const failing = logToMlflow(run, { ...optionsOf(server), attemptsMax: 3 });
  await expect(failing).rejects.toMatchObject({
    code: "tracking_unavailable",
    message: "MLflow did not answer experiments/get-by-name in 3 attempts: status 500",
  });
  expect(server.requests).toHaveLength(3);
  server.faults = ["refuse"];
  await expect(logToMlflow(run, optionsOf(server))).rejects.toThrow("403 PERMISSION_DENIED");
  expect(server.requests).toHaveLength(4);
  server.faults = ["page"];
  await expect(logToMlflow(run, optionsOf(server))).rejects.toThrow("200 without MLflow's JSON");
});

test("a signal ends it, also while it waits for another attempt", async () => {
  const [server, run] = [await MlflowServer.start(), await someRun()];
  const ended = new AbortController();
  server.faults = [500];
  const logging = logToMlflow(run, { ...optionsOf(server), backoffMs: 60_000, signal: ended.signal });
  setTimeout(() => ended.abort(new Error("ended")), 100);
  await expect(logging).rejects.toThrow(/aborted|ended/);
  expect(server.requests).toHaveLength(1);
});
