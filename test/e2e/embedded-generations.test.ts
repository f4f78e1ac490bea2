/** Generations of rows on the embedded engine: beside a `medley up`, and by `medley apply` alone. */

import { hostname } from "node:os";
import { lockEmbeddedGenerations } from "@medley/store";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configOf, placesOf, post, type Running, until, Workplace } from "./medley.fixture.ts";

describe("generations, embedded", () => {
  let workplace: Workplace;
  let up: Running;
  const rowsCount = 60;
  const next = (price: object) => {
    const changed = structuredClone(configOf()) as {
      collections: { places: { spaces: Record<string, object> } };
    };
    changed.collections.places.spaces.price = price;
    workplace.write("next.config.json", JSON.stringify(changed));
  };
  const command = (...args: string[]) => workplace.runJson(["--config", "next.config.json", ...args]);

  beforeAll(async () => {
    workplace = new Workplace();
    up = await workplace.up();
    await post(`${up.httpUrl}/v1/collections/places/records`, placesOf(rowsCount));
    await until(
      async () => (await workplace.runJson(["status"])).data.collections[0].rowsLive,
      (rows) => rows === rowsCount,
    );
  });
  afterAll(() => workplace?.[Symbol.asyncDispose]());

  test("a process that runs opens the new encoders, carries the rows and answers by them; back, and to the end", async () => {
    const body = { parts: { price: 10 }, weights: { price: 1 }, k: 3 };
    const best = async () => {
      const { status, body: answer } = await post(`${up.httpUrl}/v1/collections/places/search`, body);
      expect(status).toBe(200);
      return answer.hits[0].contributions.price;
    };
    const before = await best();
    const models = up.command.stderr.length;
    next({ encoder: "number", field: "price", range: [0, 1_000] });
    const { data: plan } = await command("plan");
    expect(plan).toMatchObject({ collection: "places", generation: 2, rows: rowsCount, rowsPerSecond: null });
    expect(plan.spaces.filter(({ how }: { how: string }) => how === "encoded")).toHaveLength(1);
    expect(await command("apply")).toMatchObject({ exitCode: 0, data: { state: "live", generation: 2 } });
    // A query of a record's own price scores the same on any range: another does not.
    expect(await best()).toBeCloseTo(before, 3);
    const far = await post(`${up.httpUrl}/v1/collections/places/search`, {
      ...body,
      parts: { price: 99 },
      k: rowsCount,
    });
    expect(far.body.hits.at(-1).contributions.price).toBeGreaterThan(0.9);
    await post(`${up.httpUrl}/v1/collections/places/records`, { ...placesOf(1)[0], id: "late" });
    await until(
      async () => (await workplace.runJson(["status"])).data.collections[0].rowsLive,
      (rows) => rows === rowsCount + 1,
    );
    expect(await command("apply", "--rollback")).toMatchObject({ exitCode: 0, data: { generation: 1 } });
    const { data: back } = await workplace.runJson(["status"]);
    expect(back.collections[0].rowsLive, "what came meanwhile is there").toBe(rowsCount + 1);
    expect(await command("apply", "--rollback")).toMatchObject({ exitCode: 0, data: { generation: 2 } });
    expect(await command("apply", "--finish")).toMatchObject({ exitCode: 0, data: { dropped: 1 } });
    expect(await best()).toBeCloseTo(before, 3);
    expect(up.command.stderr.slice(models)).not.toContain("error");
  });

  test("while one process changes generations, another is told, and one that only looks is not kept out", async () => {
    const held = lockEmbeddedGenerations(workplace.path(".medley"), "places");
    const refused = { exitCode: 3, error: { code: "apply_running", mend: expect.stringContaining("lock") } };
    expect(await command("apply", "--drop")).toMatchObject(refused);
    expect(await command("plan")).toMatchObject({ exitCode: 0 });
    await held[Symbol.asyncDispose]();
    expect(await command("apply", "--drop")).toMatchObject({ error: { code: "usage" } });
    workplace.write(
      ".medley/apply-places.lock",
      JSON.stringify({ pid: process.pid, host: hostname(), startedAt: "0" }),
    );
    expect(await command("apply", "--drop"), "of a process that has ended").toMatchObject({
      error: { code: "usage" },
    });
  });

  test("where nobody runs, the command carries the rows itself; another dimension, and a space less", async () => {
    up.command.kill("SIGTERM");
    await up.command.ended;
    // The configuration that is live now is the second's.
    const old = await workplace.runJson(["status"]);
    expect(old).toMatchObject({ exitCode: 1, error: { code: "schema_conflict" } });
    const changed = structuredClone(configOf()) as {
      collections: { places: { spaces: Record<string, object> } };
    };
    delete changed.collections.places.spaces.taste;
    workplace.write("next.config.json", JSON.stringify(changed));
    const { data: plan } = await command("plan");
    expect(plan.spaces.find(({ space }: { space: string }) => space === "taste")).toMatchObject({
      how: "dropped",
    });
    const applied = await command("apply");
    expect(applied).toMatchObject({ exitCode: 0, data: { state: "live", generation: 3 } });
    expect(await command("apply")).toMatchObject({ exitCode: 0, data: { state: "unchanged" } });
    workplace.write("medley.config.json", JSON.stringify(changed));
    const kept = plan.spaces.filter(({ how }: { how: string }) => how !== "dropped");
    const sum = kept.reduce((all: number, one: { dimensions: number }) => all + one.dimensions, 0);
    expect((await workplace.runJson(["status"])).data.collections[0]).toMatchObject({
      rowsLive: rowsCount + 1,
      dimensions: sum,
    });
  });
});

test("a space that reads another field has its rows made anew, and searches answer by that field", async () => {
  const of = (field: string) => ({
    collections: {
      items: {
        fields: { year: "number", price: "number" },
        spaces: { size: { encoder: "number", field, range: [0, 100] } },
      },
    },
  });
  await using workplace = new Workplace(of("year"));
  workplace.write("items.jsonl", '{"id":"a","year":10,"price":90}\n{"id":"b","year":90,"price":10}\n');
  expect(await workplace.runJson(["backfill", "items.jsonl"])).toMatchObject({ exitCode: 0 });
  workplace.write("medley.config.json", JSON.stringify(of("price")));
  const search = () => workplace.runJson(["search", "items", "--size", "10", "-k", "1"]);
  expect(await search()).toMatchObject({ error: { code: "schema_conflict" } });
  const { data: plan } = await workplace.runJson(["plan"]);
  expect(plan).toMatchObject({ generation: 2, spaces: [{ space: "size", how: "encoded" }] });
  expect(await workplace.runJson(["apply"])).toMatchObject({ exitCode: 0, data: { state: "live" } });
  expect(await search()).toMatchObject({ data: { hits: [{ id: "b" }] } });
});
