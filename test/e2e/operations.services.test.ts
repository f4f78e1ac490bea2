/** Traces, metrics and watching across services that are processes of their own. */
import { describe, expect, test } from "vitest";
import { EmbeddingsEndpoint } from "./embeddings-endpoint.fixture.ts";
import { jsonLines, until } from "./medley.fixture.ts";
import { type CollectedSpan, OtlpCollector } from "./otlp-collector.fixture.ts";
import { Services } from "./services.fixture.ts";

const serverUrl = process.env.DATABASE_URL ?? "";
const traceIdOf = (n: number) => `0af7651916cd43dd8448eb211c8031${String(n).padStart(2, "0")}`;

describe.skipIf(process.env.DATABASE_URL === undefined)("operations (needs DATABASE_URL)", () => {
  test("spans of producer, embedding-worker and indexer are of one trace; a backfill's begin with its sending", async () => {
    await using collector = await OtlpCollector.open();
    await using endpoint = await EmbeddingsEndpoint.open();
    await using services = await Services.create(serverUrl, {
      config: endpoint.config,
      environment: { ...collector.environment, NOTES_KEY: "k" },
    });
    const { workplace, environment } = services;
    await workplace.runJson(["migrate"], { environment });
    const [producer] = await Promise.all([
      services.start("producer"),
      services.start("embedding-worker"),
      services.start("indexer"),
    ]);
    for (const n of [1, 2]) {
      await fetch(`${producer.url}/v1/collections/notes/records`, {
        method: "POST",
        body: JSON.stringify([{ id: `a${n}`, about: "a" }]),
        headers: {
          "content-type": "application/json",
          traceparent: `00-${traceIdOf(n)}-b7ad6b7169203331-01`,
        },
      });
    }
    const spansOf = (traceId: string) => collector.spans.filter((span) => span.traceId === traceId);
    for (const n of [1, 2]) {
      const spans = await until(
        async () => spansOf(traceIdOf(n)),
        (found) => found.length === 4,
      );
      const byName = Object.fromEntries(spans.map((span) => [span.name, span]));
      expect(Object.keys(byName).sort()).toEqual(["embed", "index", "ingest", "send"]);
      const { ingest, send, embed, index } = byName as Record<string, CollectedSpan>;
      expect([ingest, send, embed, index].map((span) => span?.service)).toEqual([
        "medley-producer",
        "medley-producer",
        "medley-embedding-worker",
        "medley-indexer",
      ]);
      for (const span of [send, embed, index]) expect(span?.parentSpanId).toBe(ingest?.spanId);
    }

    workplace.write(
      "notes.jsonl",
      jsonLines([
        { id: "f1", about: "x" },
        { id: "f2", about: "y" },
      ]),
    );
    const loaded = await workplace.runJson(["backfill", "notes.jsonl", "-c", "notes"], { environment });
    expect(loaded.data.indexed).toBe(2);
    const backfilled = await until(
      async () => collector.spans.filter(({ attributes }) => attributes["medley.lane"] === "backfill"),
      (spans) => spans.length === 3,
    );
    expect(new Set(backfilled.map(({ traceId }) => traceId)).size).toBe(1);
    const sent = backfilled.find(({ name }) => name === "send");
    expect([sent?.service, sent?.parentSpanId]).toEqual(["medley-command", ""]);
    const after = backfilled.filter(({ name }) => name !== "send");
    expect(after.map(({ parentSpanId }) => parentSpanId)).toEqual([sent?.spanId, sent?.spanId]);
  });

  test("while Postgres cuts every connection services tell of it without what records and addresses hold, and finish", async () => {
    const secret = "canary7f3a9";
    await using endpoint = await EmbeddingsEndpoint.open();
    const url = new URL(serverUrl);
    url.password ||= secret;
    await using services = await Services.create(url.href, {
      config: endpoint.config,
      environment: { NOTES_KEY: secret, MEDLEY_LOG_LEVEL: "trace" },
    });
    const { workplace, environment, database } = services;
    await workplace.runJson(["migrate"], { environment });
    const running = await Promise.all(
      (["producer", "embedding-worker", "indexer"] as const).map((name) => services.start(name)),
    );
    const path = `${running[0]?.url}/v1/collections/notes/records`;
    const send = (n: number) =>
      fetch(path, {
        method: "POST",
        body: JSON.stringify({ id: `${secret}-${n}`, about: `${secret} ${n}` }),
        headers: { "content-type": "application/json" },
      });
    endpoint.hold();
    expect((await send(0)).status).toBe(202);
    await until(
      async () => endpoint.requests,
      (requests) => requests === 1,
    );
    expect(await database.cutConnections()).toBeGreaterThan(3);
    // Accepted or refused for the moment; a client that is told so sends it again.
    for (let n = 1; n <= 20; n += 1) {
      if (n % 5 === 0) await database.cutConnections();
      const { status } = await until(
        () => send(n),
        (answer) => answer.status === 202 || answer.headers.has("retry-after"),
      );
      if (status !== 202) n -= 1;
    }
    endpoint.release();
    const rows = async () => {
      const { data } = await workplace.runJson(["status"], { environment });
      return data.collections[0].rowsLive as number;
    };
    expect(await until(rows, (live) => live === 21)).toBe(21);
    const metrics = await Promise.all(
      running.map(({ url: at }) => fetch(`${at}/metrics`).then((it) => it.text())),
    );
    const faults = metrics.map((text) => Number(/medley_faults_total\{part="queue"\} (\d+)/.exec(text)?.[1]));
    expect(Math.max(...faults)).toBeGreaterThan(0);
    for (const { name, log } of running) expect([name, log.includes(secret)]).toEqual([name, false]);
    expect(metrics.join("\n")).not.toContain(secret);
    expect(running.map(({ log }) => log).join("")).toContain('"part":"queue"');
  });
});
