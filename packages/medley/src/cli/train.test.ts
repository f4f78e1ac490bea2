import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Command } from "commander";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Outcome } from "./output.ts";
import { trainCommands } from "./train-options.ts";
import { type TrainingFolder, trainingFolder } from "./training-folder.fixture.ts";

const spaces = {
  year: { encoder: "number", field: "year", range: [1990, 2030] },
  graph: { encoder: "graphsage", field: "cites", features: ["year"], dimensions: 4 },
};

/** `medley train papers.graph …`, as it is typed. */
async function train({ context, records }: TrainingFolder, ...args: string[]) {
  const outcomes: Outcome[] = [];
  const medley = new Command();
  trainCommands(medley, async (_, action) => void outcomes.push(await action(context)));
  const given = ["train", "papers.graph", "--from", records, "--threads", "1", ...args];
  await medley.parseAsync(given, { from: "user" });
  return outcomes[0]?.data as { run: string; state: string; artefact: string };
}

test("a run is not gone on with by another seed or other settings than it began with, and stays as it is", async () => {
  const folder = await trainingFolder(spaces);
  const { run } = await train(folder, "--seed", "5", "--epochs", "2", "--set", "hidden=8");
  const file = join(folder.context.directory, "runs", run, "run.json");
  const before = await readFile(file, "utf8");
  expect(JSON.parse(before)).toMatchObject({ seed: 5, state: "done" });
  for (const [what, ...args] of [
    ["seed 5, not 1", "--seed", "1"],
    ["epochs=2, not 3", "--epochs", "3"],
    ["hidden=8, not 9", "--set", "hidden=9", "--set", "epochs=2"],
    ["the default of dropout, not 0.1", "--set", "dropout=0.1"],
  ] as const) {
    await expect(train(folder, "--resume", run, ...args)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining(what),
      mend: expect.stringContaining("without --resume"),
    });
  }
  expect(await readFile(file, "utf8")).toBe(before);
  expect(await train(folder, "--resume", run)).toMatchObject({ run, state: "done" });
  const equal = ["--seed", "5", "--set", "hidden=8", "--epochs", "2"];
  expect(await train(folder, "--resume", run, ...equal)).toMatchObject({ run, state: "done" });
});

test("without a seed it is 1", async () => {
  const folder = await trainingFolder(spaces);
  const { run } = await train(folder, "--epochs", "1");
  const { seed } = JSON.parse(
    await readFile(join(folder.context.directory, "runs", run, "run.json"), "utf8"),
  );
  expect(seed).toBe(1);
});

/** Answers what a run is told with; `status` is that of every answer. */
async function trackingServer(status: number) {
  const told: { path: string; body: string }[] = [];
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "", "http://localhost").pathname.replace("/api/2.0/mlflow/", "");
    told.push({ path, body: (await request.toArray()).join("") });
    const answer = { experiment: { experiment_id: "1" }, run: { info: { run_id: "m1" } } };
    response.writeHead(status).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  return { told, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test("a run is told to MLflow once it has ended; a server that refuses it is a warning", async () => {
  const folder = await trainingFolder(spaces);
  const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  onTestFinished(() => stderr.mockRestore());
  const taking = await trackingServer(200);
  const { run } = await train(folder, "--epochs", "1", "--mlflow", taking.url);
  const last = taking.told.at(-1);
  expect(last?.path).toBe("runs/update");
  expect(JSON.parse(last?.body ?? "")).toMatchObject({ run_id: "m1", status: "FINISHED" });
  expect(taking.told.find(({ path }) => path === "runs/create")?.body).toContain(run);
  const refusing = await trackingServer(403);
  const warned = await train(folder, "--epochs", "1", "--mlflow", refusing.url);
  expect(warned.state).toBe("done");
  expect(stderr.mock.calls.flat().join("")).toContain(`warning: run ${warned.run} is not told to MLflow`);
  expect(refusing.told.length).toBeGreaterThan(0);
  await expect(train(folder, "--mlflow", "localhost:5000")).rejects.toMatchObject({ code: "usage" });
});
