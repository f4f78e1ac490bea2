/** What an operator sees and does: tokens, traces, stopping; and that none of it tells what records and secrets say. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { files, read } from "../source-files.ts";
import { EmbeddingsEndpoint } from "./embeddings-endpoint.fixture.ts";
import { ask as askOf, type Running, until, Workplace } from "./medley.fixture.ts";
import { OtlpCollector } from "./otlp-collector.fixture.ts";

const json = { "content-type": "application/json" };

function send(up: Running, records: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${up.httpUrl}/v1/collections/notes/records`, {
    method: "POST",
    body: JSON.stringify(records),
    headers: { ...json, ...headers },
  });
}

const statusOf = (up: Running, path: string) => fetch(`${up.httpUrl}${path}`).then(({ status }) => status);

test("SIGTERM with a packet in hand: not ready at once, no more work, the packet is done, and it ends with 0", async () => {
  await using endpoint = await EmbeddingsEndpoint.open();
  await using workplace = new Workplace(endpoint.config);
  const up = await workplace.up({ NOTES_KEY: "k" });
  expect(await statusOf(up, "/readyz")).toBe(200);
  endpoint.hold();
  expect((await send(up, { id: "slow", about: "takes its time" })).status).toBe(202);
  await until(
    async () => endpoint.requests,
    (requests) => requests === 1,
  );
  up.command.kill("SIGTERM");
  const readiness = await until(
    () => fetch(`${up.httpUrl}/readyz`),
    ({ status }) => status === 503,
  );
  expect(await readiness.json()).toMatchObject({
    ready: false,
    checks: expect.arrayContaining([
      { name: "draining", ok: false, ms: expect.any(Number), code: "draining" },
    ]),
  });
  const refused = await send(up, { id: "late" });
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
  expect([await statusOf(up, "/livez"), await statusOf(up, "/metrics")]).toEqual([200, 200]);
  endpoint.release();
  const { code, stderr } = await up.command.ended;
  expect([code, stderr]).toEqual([0, expect.stringContaining('"drained"')]);
  const after = await workplace.runJson(["status"], { environment: { NOTES_KEY: "k" } });
  // Its vector is durable in the next lane; nothing waits to be embedded again.
  const waiting = Object.fromEntries(
    after.data.backlog.map((one: { channel: string; waiting: number }) => [one.channel, one.waiting]),
  );
  expect(waiting).toEqual({ records: 0, vectors: 1 });
});

test("what is not done within the grace goes back to the lane, and is done by the next process", async () => {
  await using endpoint = await EmbeddingsEndpoint.open();
  await using workplace = new Workplace(endpoint.config);
  const first = await workplace.up({ NOTES_KEY: "k", MEDLEY_GRACE_SECONDS: "1" });
  endpoint.hold();
  await send(first, { id: "slow", about: "takes too long" });
  await until(
    async () => endpoint.requests,
    (requests) => requests === 1,
  );
  first.command.kill("SIGTERM");
  expect((await first.command.ended).code).toBe(0);
  endpoint.release();
  const second = await workplace.up({ NOTES_KEY: "k" });
  const rows = async () => {
    const status = await fetch(`${second.httpUrl}/v1/status`);
    const { collections } = (await status.json()) as { collections: [{ rowsLive: number }] };
    return collections[0].rowsLive;
  };
  expect(await until(rows, (live) => live === 1)).toBe(1);
});

test("medley token makes one that the server takes for what it is for, and for nothing else", async () => {
  await using endpoint = await EmbeddingsEndpoint.open();
  await using workplace = new Workplace(endpoint.config);
  const made = await workplace.runJson(["token", "shop", "--scope", "ingest", "-c", "notes"]);
  const { token, entry } = made.data;
  const up = await workplace.up({ NOTES_KEY: "k", MEDLEY_TOKENS: JSON.stringify([entry]) });
  const headers = { authorization: `Bearer ${token}` };
  const seen = [
    (await send(up, { id: "a" }, headers)).status,
    (await send(up, { id: "a" })).status,
    (await fetch(`${up.httpUrl}/v1/status`, { headers })).status,
  ];
  expect(seen).toEqual([202, 401, 403]);
  const unknown = await workplace.runJson(["up"], {
    environment: { MEDLEY_TOKENS: JSON.stringify([{ ...entry, collections: ["notse"] }]) },
  });
  expect(unknown.error).toMatchObject({ code: "usage", message: expect.stringContaining('"notse"') });
  expect((await workplace.runJson(["token", "shop"])).exitCode).toBe(2);
  expect((await workplace.runJson(["token", "shop", "--scope", "all"])).exitCode).toBe(2);
});

test("a second signal ends it at once", async () => {
  await using endpoint = await EmbeddingsEndpoint.open();
  await using workplace = new Workplace(endpoint.config);
  const up = await workplace.up({ NOTES_KEY: "k", MEDLEY_GRACE_SECONDS: "600" });
  endpoint.hold();
  await send(up, { id: "slow", about: "takes for ever" });
  await until(
    async () => endpoint.requests,
    (requests) => requests === 1,
  );
  up.command.kill("SIGTERM");
  await up.command.said(/draining/);
  up.command.kill("SIGTERM");
  expect((await up.command.ended).code).toBe(130);
});

const secret = "canary7f3a9";
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe("a deployment that is watched", () => {
  let collector: OtlpCollector;
  let workplace: Workplace;
  let up: Running;
  const opened = new AsyncDisposableStack();
  const authorization = `Bearer ${secret}-token`;
  const answers: string[] = [];

  beforeAll(async () => {
    collector = opened.use(await OtlpCollector.open());
    const endpoint = opened.use(await EmbeddingsEndpoint.open());
    workplace = opened.use(new Workplace(endpoint.config));
    up = await workplace.up({
      ...collector.environment,
      NOTES_KEY: `${secret}-key`,
      MEDLEY_TOKEN: `${secret}-token`,
      MEDLEY_LOG_LEVEL: "trace",
    });
  });

  afterAll(() => opened.disposeAsync());

  async function ask(
    path: string,
    { method = "GET", headers = {}, ...rest }: { method?: string; headers?: object; body?: string } = {},
  ): Promise<{ status: number; text: string }> {
    const answer = await askOf(`${up.httpUrl}${path}`, {
      method,
      headers: { ...json, authorization, ...headers },
      ...rest,
    });
    answers.push(answer.text);
    return answer;
  }
  const post = (path: string, body: string, headers = {}) => ask(path, { method: "POST", body, headers });
  const records = "/v1/collections/notes/records";

  test("a request's trace goes through all stages", async () => {
    await post(records, '[{"id":"a","about":"a"},{"id":"b","about":"b"}]', { traceparent });
    const ofTrace = () => collector.spans.filter(({ traceId }) => traceparent.includes(traceId));
    await until(
      async () => ofTrace().length,
      (spans) => spans === 4,
    );
    const ingest = ofTrace().find(({ name }) => name === "ingest");
    expect(ingest?.parentSpanId).toBe("b7ad6b7169203331");
    for (const name of ["send", "embed", "index"]) {
      expect(ofTrace().find((span) => span.name === name)).toMatchObject({
        service: "medley-up",
        parentSpanId: ingest?.spanId,
        attributes: { "medley.collection": "notes", "medley.lane": "stream", "medley.records": 2 },
      });
    }
  });

  test("every metric that docs, alerts and dashboard name is there, and every one that is there is in the docs", async () => {
    const { text } = await ask("/metrics");
    const there = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name as string));
    // The manual names roles and schemas elsewhere.
    const metricsPart = (page: string) => page.match(/^## Watching it$[\s\S]*?(?=^## )/m)?.[0] ?? page;
    const namesIn = (path: string) => [
      ...new Set(
        [...metricsPart(read(path)).matchAll(/\b(medley|nodejs|process)_[a-z0-9_]+[a-z0-9]\b/g)].map(
          ([name]) => name,
        ),
      ),
    ];
    const observability = files.filter((path) => path.startsWith("infra/observability/"));
    expect(observability.length).toBeGreaterThan(4);
    for (const path of ["docs/OPERATIONS.md", ...observability]) {
      const missing = namesIn(path).filter(
        (name) => !there.has(name) && !there.has(name.replace(/_(bucket|sum|count)$/, "")),
      );
      expect([path, missing]).toEqual([path, []]);
    }
    const documented = namesIn("docs/OPERATIONS.md");
    expect([...there].filter((name) => name.startsWith("medley_") && !documented.includes(name))).toEqual([]);
  });

  test("medley status asks a running service, with its token", async () => {
    const asked = (token?: string) =>
      workplace.runJson(["status", "--url", up.httpUrl], {
        environment: token === undefined ? {} : { MEDLEY_TOKEN: token },
      });
    const { exitCode, data } = await asked(`${secret}-token`);
    expect([exitCode, data.collections[0].collection, data.freshness.stream.records]).toEqual([
      ...[0, "notes", expect.any(Number)],
    ]);
    expect((await asked()).error).toMatchObject({ code: "unauthorized" });
    expect((await workplace.runJson(["status", "--url", "http://127.0.0.1:1"])).error).toMatchObject({
      code: "service_unavailable",
    });
    expect((await workplace.runJson(["status", "--url", "nowhere"])).exitCode).toBe(2);
  });

  test("medley top prints an object a look until it is asked to end; where a service is away it says so and goes on", async () => {
    const args = ["--json", "top", "--interval", "0.2", "--url", up.httpUrl, "--url", "http://127.0.0.1:1"];
    const top = workplace.start(args, { environment: { MEDLEY_TOKEN: `${secret}-token` } });
    const lines = () => top.stdout.split("\n").slice(0, -1);
    await until(
      async () => lines().length,
      (looks) => looks >= 3,
    );
    top.kill("SIGINT");
    expect((await top.ended).code).toBe(0);
    const [first, second] = lines().map((line) => JSON.parse(line));
    expect(first).toMatchObject({ schemaVersion: 1, intervalSeconds: null });
    expect(second).toMatchObject({
      intervalSeconds: expect.any(Number),
      lanes: [{ channel: "records" }, { channel: "vectors" }],
      collections: [{ collection: "notes", writesPerSecond: expect.any(Number) }],
      services: [{ role: "medley", recordsPerSecond: { index: expect.any(Number) } }, { role: null }],
      faults: [{ part: "http://127.0.0.1:1", code: "service_unavailable" }],
    });
  });

  // Last: it ends the deployment.
  test("secrets and what records say show in no log, metric, trace, status or answer, whatever fails", async () => {
    const statuses = [
      await post(records, `[{"id":"${secret}-good","about":"${secret} text"}]`, { traceparent }),
      await post(records, `[{"id":"${secret}-bad","about":"${secret} refused"}]`),
      await post(records, `[{"id":"${secret}", "about": ${secret}}]`),
      await post(records, `{"id":"a","about":"${secret} ${"x".repeat(2 ** 24)}"}`),
      await post(records, `<${secret}>`, { "content-type": "text/plain" }),
      await post("/v1/collections/notes/search", `{"like":"${secret}-none"}`),
      await post("/v1/collections/notes/search", `{"parts":{"about":"${secret} refused"}}`),
      await post("/v1/collections/notes/search", `{"filter":{"price":{"gte":"${secret}"}}}`),
      await ask(`/nowhere/${secret}`),
      await post(records, "[]", { authorization: `Bearer ${secret}-wrong` }),
      await ask(`${records}/${secret}%zz`, { method: "DELETE" }),
      await ask(`${records}/${secret}-good`, { method: "DELETE" }),
    ].map(({ status }) => status);
    expect(statuses).toEqual([202, 202, 400, 413, 415, 404, 500, 422, 404, 401, 400, 202]);
    const letters = async () =>
      /medley_dead_letters_open\{.*\} (\d+)/.exec((await ask("/metrics")).text)?.[1];
    expect(await until(letters, (open) => open === "1")).toBe("1");
    const { text: status } = await ask("/v1/status");
    const { text: metrics } = await ask("/metrics");
    up.command.kill("SIGTERM");
    const { code, stderr } = await up.command.ended;
    expect([code, stderr]).toEqual([0, expect.stringContaining('"ready"')]);
    expect(metrics).toContain('medley_failed_records_total{stage="embed",code="encoder_failed"} 1');
    const traces = collector.received.join("\n");
    expect(traces).toContain('"embed"');
    for (const [where, text] of Object.entries({ stderr, metrics, status, traces })) {
      expect([where, text.split("\n").filter((line) => line.includes(secret))]).toEqual([where, []]);
    }
    // What a client sent may be quoted to itself; a secret of the server's may not.
    expect(answers.join("\n")).not.toMatch(new RegExp(`${secret}-(key|token)`));
  });
});
