import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { type Collection, checkConfig } from "@medley/core";
import { openDeployment, readSettings } from "medley";
import { expect, onTestFinished, test } from "vitest";

const topics = ["sea", "snow", "sand"];

/** Speaks OpenAI's protocol: a text's vector says which topics it names. */
async function endpoint(): Promise<{ url: string; keys: (string | undefined)[] }> {
  const keys: (string | undefined)[] = [];
  const server = createServer(async (request, response) => {
    keys.push(request.headers.authorization);
    const { input } = (await json(request)) as { input: string[] };
    const data = input.map((text, index) => ({
      index,
      embedding: [...topics.map((topic) => (text.includes(topic) ? 1 : 0)), 0.1],
    }));
    response.setHeader("content-type", "application/json").end(JSON.stringify({ data }));
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, keys };
}

test("a remote space of the configuration: records are indexed and found by the endpoint's vectors", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "medley-remote-"));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const { url, keys } = await endpoint();
  const about = {
    encoder: "remote",
    field: "about",
    url,
    model: "topics",
    dimensions: 4,
    keyVariable: "TOPICS_KEY",
  };
  const [collection] = checkConfig({
    collections: { trips: { fields: { about: "text" }, spaces: { about } } },
  });
  const environment = { MEDLEY_DATA_DIR: dataDir, MEDLEY_POSTGRES_PORT: "0", MEDLEY_DEVICE: "cpu" };
  const open = (more: Record<string, string>) =>
    openDeployment({
      collections: new Map([["trips", collection as Collection]]),
      settings: readSettings({ ...environment, ...more }),
    });
  await expect(open({})).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining("TOPICS_KEY"),
  });

  await using deployment = await open({ TOPICS_KEY: "secret" });
  await deployment.runStages(["embed", "index"]);
  await deployment.ingest(
    "trips",
    topics.map((topic) => ({ id: topic, about: `a week of ${topic}` })),
  );
  await deployment.settled();
  const hits = await deployment.search("trips", { parts: { about: "down to the snow" }, k: 1 });
  expect(hits).toMatchObject([{ id: "snow", score: expect.closeTo(1, 2) }]);
  expect(new Set(keys)).toEqual(new Set(["Bearer secret"]));
});
