/** Traces, metrics and watching across services that are processes of their own. */
import { describe, expect, test } from "vitest";
import { EmbeddingsEndpoint } from "./embeddings-endpoint.fixture.ts";
import { jsonLines, until, Workplace } from "./medley.fixture.ts";
import { type CollectedSpan, OtlpCollector } from "./otlp-collector.fixture.ts";
import { OwnDatabase, ServiceProcesses } from "./service-process.fixture.ts";

const traceIdOf = (n: number) => `0af7651916cd43dd8448eb211c8031${String(n).padStart(2, "0")}`;

describe.skipIf(process.env.DATABASE_URL === undefined)("operations (needs DATABASE_URL)", () => {
  test("spans of producer, embedding-worker and indexer are of one trace; a backfill's begin with its sending", async () => {
    await using collector = await OtlpCollector.open();
    await using endpoint = await EmbeddingsEndpoint.open();
    await using workplace = new Workplace(endpoint.config);
    await using database = await OwnDatabase.create();
    const environment = { ...collector.environment, MEDLEY_DATABASE_URL: database.url, NOTES_KEY: "k" };
    await workplace.runJson(["migrate"], { environment });
    await using services = new ServiceProcesses(workplace, environment);
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
});
