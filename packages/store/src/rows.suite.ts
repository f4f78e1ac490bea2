import { createHash } from "node:crypto";
import { type RecordFields, type VectorEnvelope, versionMax } from "@medley/core";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PostgresStore } from "./postgres-store.ts";
import { rowWriter } from "./rows/write-rows.ts";
import { readServer } from "./server.ts";
import { filmsLayout, openStore, type TestDatabase, tombstone, upsert } from "./test-database.fixture.ts";

const jaws: RecordFields = {
  title: 'J"aws\\ \u{1f988}',
  studio: "Universal",
  genres: ["Horror", 'od"d, \\{}', "null", ""],
  moods: { dark: 0.25, 'we"ird': 1e-7 },
  year: 1975.5,
  released: Date.UTC(1975, 5, 20, 1, 2, 3, 456),
  place: { lat: 41.3, lon: -70.5 },
  face: [0.5, -0.25, 3],
  poster: "posters/jaws 1.jpg",
  theme: "https://example.com/theme.mp3?a=1",
  sequels: { "jaws 2": 1, 'ja"ws': 0.125 },
  takings: {
    times: [0, 86_400_000],
    values: [
      [7.5, null],
      [1e-7, -3],
    ],
  },
};
const missing: RecordFields = Object.fromEntries(Object.keys(jaws).map((name) => [name, null]));
const settled = { indexed: 0, tombstoned: 0, superseded: 0, deadLetters: 0 };

/** Writing and reading rows: promises P1 to P4 as far as the store keeps them. */
export function describeRows(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  beforeAll(async () => {
    database = await open();
    store = await openStore(database, filmsLayout("films"));
  });
  afterAll(() => database.close());

  const rowOf = async (id: string) => (await store.readSegments("films", [id])).get(id);

  test("a row comes back as it was written, bit for bit", async () => {
    const vector = [1, -0.33325, 6.1e-5, 0, 65504];
    expect(await store.writeRows("films", [upsert("jaws", 7, jaws, vector)], null)).toEqual(["indexed"]);
    const row = await rowOf("jaws");
    expect(row).toMatchObject({ version: 7n, deleted: false });
    expect(row?.vector).toEqual(Float16Array.from(vector));
    expect(new Uint8Array(row?.segmentHashes ?? [])).toEqual(new Uint8Array(32).fill(7));
    const [hit] = await store.search({ collection: "films", like: "jaws", filter: { id: "jaws" } });
    expect(hit?.fields).toEqual(jaws);
  });

  test("a picture that comes with its record is kept by its hash, not its bytes", async () => {
    const bytes = Buffer.from("not really a picture");
    const poster = `data:image/png;base64,${bytes.toString("base64")}`;
    await store.writeRows("films", [upsert("inline", 1, { ...jaws, poster }, [1, 0, 0, 0, 1])], null);
    const { rows } = await database.pool.query("select poster from medley.films where id = 'inline'");
    expect(rows).toEqual([{ poster: `sha256:${createHash("sha256").update(bytes).digest("hex")}` }]);
  });

  test("a row without values, and the highest version", async () => {
    await store.writeRows("films", [upsert("empty", versionMax, missing, [0, 0, 0, 0, 0])], null);
    expect(await rowOf("empty")).toMatchObject({ version: versionMax });
    const [hit] = await store.search({ collection: "films", parts: { year: 1999 }, filter: { id: "empty" } });
    expect(hit).toMatchObject({ score: 0, fields: missing });
  });

  test("a delete leaves a tombstone, also of an id never seen; nothing older comes through", async () => {
    const write = async (envelope: VectorEnvelope) => (await store.writeRows("films", [envelope], null))[0];
    expect(await write(upsert("gone", 1, jaws, [1, 0, 0, 0, 1]))).toBe("indexed");
    expect(await write(tombstone("gone", 3))).toBe("tombstoned");
    expect(await write(upsert("gone", 2, jaws, [1, 0, 0, 0, 1]))).toBe("superseded");
    expect(await write(tombstone("unseen", 3))).toBe("tombstoned");
    expect(await write(upsert("unseen", 2, jaws, [1, 0, 0, 0, 1]))).toBe("superseded");
    expect(await rowOf("unseen")).toMatchObject({ version: 3n, deleted: true });
    const { rows } = await database.pool.query(`select title, embedding, segment_hashes, face
      from medley_internal.films_g1 where id = 'gone'`);
    expect(rows).toEqual([{ title: null, embedding: null, segment_hashes: null, face: null }]);
    expect(await write(upsert("gone", 4, jaws, [1, 0, 0, 0, 1]))).toBe("indexed");
    expect(await rowOf("gone")).toMatchObject({ version: 4n, deleted: false });
  });

  test("the same version again has no effect and the same outcome", async () => {
    const first = [upsert("again-1", 5, jaws, [1, 0, 0, 0, 1]), tombstone("again-2", 5)];
    expect(await store.writeRows("films", first, null)).toEqual(["indexed", "tombstoned"]);
    const { rows: before } = await database.pool.query(
      "select xmin, * from medley_internal.films_g1 order by id",
    );
    expect(await store.writeRows("films", first, null)).toEqual(["indexed", "tombstoned"]);
    const otherContent = [tombstone("again-1", 5), upsert("again-2", 5, missing, [0, 0, 0, 0, 0])];
    expect(await store.writeRows("films", otherContent, null)).toEqual(["indexed", "tombstoned"]);
    const { rows: after } = await database.pool.query(
      "select xmin, * from medley_internal.films_g1 order by id",
    );
    expect(after).toEqual(before);
  });

  /** Of every (id, version) there is one content. */
  const contentOf = (id: string, ofVersion: number): VectorEnvelope =>
    (id.length + ofVersion) % 3 === 0
      ? tombstone(id, ofVersion)
      : upsert(id, ofVersion, { ...missing, title: `${id}@${ofVersion}`, year: ofVersion }, [
          ofVersion,
          0,
          0,
          0,
          1,
        ]);

  const envelopes = fc
    .uniqueArray(fc.tuple(fc.constantFrom("a", "bb", "ccc", "é", "Z"), fc.integer({ min: 1, max: 9 })), {
      selector: ([id]) => id,
      minLength: 1,
    })
    .map((pairs) => pairs.map(([id, ofVersion]) => contentOf(id, ofVersion)));

  test("P3: whatever the order, the replays and the mix of writers, each row ends at its newest version", async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(envelopes, { minLength: 1, maxLength: 8 }), async (packets) => {
        const prefix = `p3-${round++}-`;
        const named = packets.map((packet) => packet.map((one) => ({ ...one, id: prefix + one.id })));
        await Promise.all(
          [...named, ...named.slice(0, 2)].map((packet) => store.writeRows("films", packet, null)),
        );
        const newest = new Map<string, VectorEnvelope>();
        for (const one of named.flat()) {
          if (one.version > (newest.get(one.id)?.version ?? 0n)) newest.set(one.id, one);
        }
        const stored = await store.readSegments("films", [...newest.keys()]);
        for (const [id, one] of newest) {
          expect(stored.get(id)).toMatchObject({ version: one.version, deleted: one.op === "delete" });
          // All of one version (P4).
          expect(stored.get(id)?.vector).toEqual(one.vector);
        }
        expect(stored.size).toBe(newest.size);
      }),
      { numRuns: 40 },
    );
  });

  test("outcomes one after the other are those of the model", async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(envelopes, { maxLength: 8 }), async (packets) => {
        const prefix = `model-${round++}-`;
        const model = new Map<string, VectorEnvelope>();
        for (const packet of packets) {
          const named = packet.map((one) => ({ ...one, id: prefix + one.id }));
          const expected = named.map((one) => {
            const held = model.get(one.id);
            if (held !== undefined && held.version > one.version) return "superseded";
            if (held === undefined || held.version < one.version) model.set(one.id, one);
            return one.op === "delete" ? "tombstoned" : "indexed";
          });
          expect(await store.writeRows("films", named, null)).toEqual(expected);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("writers of the same rows in other orders never deadlock", async () => {
    // Without the store's retries, which would hide it.
    const writer = rowWriter(
      { collection: filmsLayout("films").collection, table: "medley_internal.films_g1", carries: false },
      (await readServer(database.pool)).types,
    );
    const ids = Array.from({ length: 300 }, (_, n) => `shuffled-${n}`);
    for (let round = 1; round <= 10; round++) {
      const packets = [ids, ids.toReversed(), ids.toSorted(), [...ids.slice(150), ...ids.slice(0, 150)]];
      await Promise.all(
        packets.map((packet, at) => {
          const rows = packet.map((id) => upsert(id, 4 * round + at, missing, [1, 0, 0, 0, 1]));
          const { text, values } = writer.statement(rows, null);
          return database.pool.query(text, values);
        }),
      );
    }
    const stored = await store.readSegments("films", ids);
    expect(new Set([...stored.values()].map((row) => row.version))).toEqual(new Set([43n]));
  });

  test("ids and texts of any characters are stored and found as they are", async () => {
    let round = 0;
    const text = fc
      .string({ unit: "grapheme-composite", minLength: 1, maxLength: 40 })
      .filter((s) => !s.includes("\0"));
    const hostile = fc.constantFrom(
      "'; drop table films; --",
      '"',
      "\\",
      "$1",
      "{a,b}",
      "null",
      " ",
      "%s",
      "\u202e",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(text, hostile),
        fc.array(fc.oneof(text, hostile)),
        async (string, strings) => {
          const id = `${round++}${string}`;
          // Node 24's JSON.parse reads the key `"` as `\` once it has seen an object with the key `\` in that place.
          const names = strings.filter((name) => !/["\\]/.test(name));
          const moods = Object.fromEntries(names.map((name) => [name, 1]));
          const fields = { ...missing, title: string, studio: string, genres: strings, moods };
          await store.writeRows("films", [upsert(id, 1, fields, [1, 0, 0, 0, 1])], null);
          expect(await rowOf(id)).toMatchObject({ version: 1n });
          const filter = { id, title: string, studio: { in: [string] }, genres: { all: strings } };
          const [hit] = await store.search({ collection: "films", like: id, filter });
          expect(hit).toMatchObject({ id, fields });
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a thousand rows in one statement; a bad value among them fails all of them as record_invalid", async () => {
    const rows = Array.from({ length: 1_000 }, (_, n) => upsert(`many-${n}`, 1, jaws, [1, 0, 0, 0, 1]));
    expect(new Set(await store.writeRows("films", rows, null))).toEqual(new Set(["indexed"]));
    const bad = upsert("bad", 1, { ...jaws, title: "zero \0 byte" }, [1, 0, 0, 0, 1]);
    await expect(
      store.writeRows("films", [upsert("fine", 1, jaws, [1, 0, 0, 0, 1]), bad], null),
    ).rejects.toMatchObject({
      code: "record_invalid",
    });
    expect((await store.readSegments("films", ["fine", "bad"])).size).toBe(0);
    const wrongLength = upsert("short", 1, jaws, [1, 0]);
    await expect(store.writeRows("films", [wrongLength], null)).rejects.toMatchObject({
      code: "record_invalid",
    });
  });

  test("a chunk is marked with its rows, once, in the same transaction", async () => {
    const chunk = { runId: "run-1", chunk: 0, settled: { ...settled, deadLetters: 2, superseded: 1 } };
    const packet = [upsert("chunk-1", 4, jaws, [1, 0, 0, 0, 1]), tombstone("chunk-2", 4)];
    await store.writeRows("films", packet, chunk);
    await store.writeRows("films", packet, chunk);
    await store.writeRows("films", [upsert("chunk-1", 3, jaws, [1, 0, 0, 0, 1])], {
      ...chunk,
      chunk: 1,
      settled,
    });
    await store.writeRows("films", [], { ...chunk, chunk: 2, settled: { ...settled, deadLetters: 100 } });
    const bad = upsert("bad", 1, { ...jaws, title: "\0" }, [1, 0, 0, 0, 1]);
    await expect(store.writeRows("films", [bad], { ...chunk, chunk: 3 })).rejects.toThrow();
    expect(await store.readRunProgress("run-1")).toEqual({
      chunksDone: 3,
      indexed: 1,
      tombstoned: 1,
      superseded: 2,
      deadLetters: 102,
    });
  });

  test("an unknown collection is named, with what is near", async () => {
    await expect(store.writeRows("flims", [], null)).rejects.toMatchObject({
      code: "collection_unknown",
      mend: 'did you mean "films"?',
    });
  });
}
