import { execFile } from "node:child_process";
import { chmod, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { expect, test } from "vitest";
import { openSource } from "./index.ts";
import { brief, field, fileOf, folder, pipe, read, readAll } from "./source.fixture.ts";

test("a byte order mark is no part of the first name", async () => {
  expect(brief(await read("bom.csv", "\ufeffid,b\n1,c\n"))).toEqual([{ id: "1", b: "c" }]);
  expect(brief(await read("bom.jsonl", '\ufeff{"id":1}\n'))).toEqual([{ id: 1 }]);
});

test("JSON lines: a bad line is one bad item that says where, not what", async () => {
  const lines = [
    '{"id":1}',
    "",
    '{"id":2,',
    "[1]",
    "null",
    '{"secret":x}',
    '{"secret" 1}',
    "  ",
    '{"id":3}\r',
  ];
  const items = await read("films.jsonl", lines.join("\n"));
  expect(brief(items)).toEqual([
    { id: 1 },
    expect.stringContaining("films.jsonl:3 is"),
    "films.jsonl:4 is a list; a record must be a JSON object",
    "films.jsonl:5 is null; a record must be a JSON object",
    expect.stringContaining("films.jsonl:6 is not JSON"),
    expect.stringContaining("films.jsonl:7 is not JSON (line 1, column 11 of it)"),
    { id: 3 },
  ]);
  for (const item of items) if (!item.ok) expect(item.reason).not.toContain("secret");
  expect(Buffer.from(items[1]?.payload ?? []).toString()).toBe('{"id":2,');
});

test("JSON lines: a line over the limit keeps its beginning only", async () => {
  const items = await read("long.jsonl", `{"id":1}\n{"a":"${"x".repeat(300_000)}"}\n{"id":3}\n`, {
    lineBytesMax: 1_000,
  });
  expect(items.map(({ ok, source }) => [ok, source])).toEqual([
    [true, "long.jsonl:1"],
    [false, "long.jsonl:2"],
    [true, "long.jsonl:3"],
  ]);
  expect(items[1]?.payload.length).toBeLessThanOrEqual(65_536);
});

test("JSON lines: not UTF-8", async () => {
  const items = await read(
    "bytes.jsonl",
    Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}\n{}\n')]),
  );
  expect(brief(items)).toEqual([expect.stringContaining("bytes.jsonl:1 is not valid UTF-8"), {}]);
});

test("JSON: the objects of a list, by position", async () => {
  const items = await read("films.json", ' [{"id":1}, 7, {"id":2}]');
  expect(items.map((item) => [item.source, item.ok ? item.value : item.reason])).toEqual([
    ["films.json[0]", { id: 1 }],
    ["films.json[1]", "films.json[1] is a number; a record must be a JSON object"],
    ["films.json[2]", { id: 2 }],
  ]);
  expect(brief(await read("lines.json", '{"id":1}\n{"id":2}\n'))).toEqual([{ id: 1 }, { id: 2 }]);
});

test.for([
  ["cut.json", '[{"id":1},', "is JSON cut short"],
  ["wrong.json", '[{"id":1} {"id":2}]', "is not JSON (line 1, column 11 of it)"],
  ["bytes.json", Buffer.from([0x5b, 0xff, 0x5d]), "is not valid UTF-8"],
  ["large.json", `[${" ".repeat(1_000)}]`, "more than 1000 bytes"],
] as const)("JSON that can't be read as a whole is said (%s)", async ([name, content, message]) => {
  await expect(read(name, content, { wholeBytesMax: 1_000 })).rejects.toMatchObject({
    code: "source_unreadable",
    message: expect.stringContaining(message),
    mend: expect.any(String),
  });
});

function parquetOf(rows: number): Uint8Array {
  const numbers = Array.from({ length: rows }, (_, index) => index);
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "id", data: numbers.map((n) => BigInt(n) + (n === 1 ? 2n ** 60n : 0n)), type: "INT64" },
        { name: "title", data: numbers.map((n) => (n % 3 === 2 ? null : `film ${n} é`)), type: "STRING" },
        { name: "at", data: numbers.map((n) => new Date(n * 86_400_000)), type: "TIMESTAMP" },
        { name: "tags", data: numbers.map((n) => ({ list: [n, "x"] })), type: "JSON" },
      ],
      rowGroupSize: 10,
    }),
  );
}

test("Parquet: plain values, over row groups", async () => {
  const path = await fileOf("films.parquet", parquetOf(25));
  const items = await readAll(path);
  expect(items.slice(0, 3).map((item) => [item.source, item.ok && item.value])).toEqual([
    ["films.parquet[0]", { id: 0, title: "film 0 é", at: 0, tags: { list: [0, "x"] } }],
    [
      "films.parquet[1]",
      { id: "1152921504606846977", title: "film 1 é", at: 86_400_000, tags: { list: [1, "x"] } },
    ],
    ["films.parquet[2]", { id: 2, title: null, at: 172_800_000, tags: { list: [2, "x"] } }],
  ]);
  expect(items.map(({ source }) => source)).toEqual(
    Array.from({ length: 25 }, (_, n) => `films.parquet[${n}]`),
  );
  expect(JSON.parse(Buffer.from(items[4]?.payload ?? []).toString())).toMatchObject({ id: 4 });
  expect(await (await openSource(path)).total()).toBe(25);
});

test("Parquet: gzipped, and by stdin", async () => {
  const bytes = parquetOf(12);
  expect(await read("films.parquet.gz", gzipSync(bytes))).toHaveLength(12);
  expect(await readAll("-", { stdin: pipe(bytes) })).toHaveLength(12);
});

test("Parquet: a damaged file, and a string that is not UTF-8", async () => {
  const bytes = parquetOf(12);
  await expect(read("cut.parquet", bytes.subarray(0, 200))).rejects.toMatchObject({
    code: "source_unreadable",
  });
  const text = new Uint8Array(
    parquetWriteBuffer({
      columnData: [{ name: "t", data: ["aa", "éé", "cc"], type: "STRING" }],
      codec: "UNCOMPRESSED",
    }),
  );
  const at = Buffer.from(text).indexOf(Buffer.from("éé"));
  text[at + 1] = 0x28;
  const items = await read("bytes.parquet", text);
  expect(items.map(({ ok, source }) => [ok, source])).toEqual([
    [true, "bytes.parquet[0]"],
    [false, "bytes.parquet[1]"],
    [true, "bytes.parquet[2]"],
  ]);
});

test.for([
  ["id,b\n1,c\n", "csv", { id: "1", b: "c" }],
  ['\n {"id":1}\n', "jsonl", { id: 1 }],
  ['\ufeff [{"id":1}]', "json", { id: 1 }],
] as const)("stdin: the first bytes tell the format of %j", async ([content, format, value]) => {
  for (const bytes of [Buffer.from(content), gzipSync(content)]) {
    const source = await openSource("-", { stdin: pipe(bytes, 1) });
    expect(source).toMatchObject({ name: "stdin", format, textual: format === "csv" });
    expect(await source.total()).toBeNull();
    expect(brief(await Array.fromAsync(source.records()))).toEqual([value]);
    await expect(Array.fromAsync(source.records())).rejects.toThrow("once");
  }
});

test("stdin: the format can be said", async () => {
  const items = await readAll("-", { stdin: pipe(Buffer.from("id\tb\n1\tc\n")), format: "tsv" });
  expect(items).toMatchObject([{ ok: true, source: "stdin:2", value: { id: "1", b: "c" } }]);
});

test("gzip: by the name or by the first bytes, members one after the other", async () => {
  expect(await read("films.jsonl.gz", gzipSync('{"id":1}\n'))).toMatchObject([
    { source: "films.jsonl.gz:1" },
  ]);
  expect(await read("zipped.csv", gzipSync("id\n1\n"))).toMatchObject([{ source: "zipped.csv:2" }]);
  const members = Buffer.concat([gzipSync('{"id":1}\n'), gzipSync('{"id":2}\n')]);
  expect(await read("members.jsonl.gz", members)).toHaveLength(2);
});

test.for([0.4, 0.9, 1])(
  "gzip half written (%d of it): all whole records, then source_unreadable",
  async (share) => {
    const lines = Array.from({ length: 20_000 }, (_, n) =>
      JSON.stringify({ id: n, noise: Math.sin(n).toString(36) }),
    );
    const whole = gzipSync(`${lines.join("\n")}\n`);
    const path = await fileOf("half.jsonl.gz", whole.subarray(0, Math.floor(whole.length * share) - 1));
    const source = await openSource(path);
    const values: unknown[] = [];
    const reading = (async () => {
      for await (const item of source.records()) values.push(item.ok ? item.value : item.reason);
    })();
    await expect(reading).rejects.toMatchObject({
      code: "source_unreadable",
      message: expect.stringMatching(/^half\.jsonl\.gz breaks off after \d+ records: /),
      mend: expect.any(String),
    });
    await reading.catch((error: Error) => expect(error.message).toContain(`after ${values.length} records`));
    expect(values.length).toBeGreaterThan(lines.length * share * 0.9 - 1_000);
    expect(values).toEqual(lines.slice(0, values.length).map((line) => JSON.parse(line)));
    expect(await source.total()).toBeNull();
  },
);

test("a file that can't be opened names its path and the mend", async () => {
  const unreadable = (message: string) => ({
    code: "source_unreadable",
    message: expect.stringContaining(message),
    mend: expect.any(String),
  });
  await expect(openSource(join(folder, "none.csv"))).rejects.toMatchObject(
    unreadable("none.csv can't be read: there is no such file"),
  );
  await expect(openSource(folder)).rejects.toMatchObject(unreadable("it is a directory"));
  await expect(openSource(await fileOf("plain.csv.gz", "id\n"))).rejects.toMatchObject(
    unreadable("is not gzip"),
  );
  await expect(openSource(await fileOf("nothing.csv.gz", ""))).rejects.toMatchObject(
    unreadable("is not gzip"),
  );
});

test("a file without permission", async () => {
  const path = await fileOf("locked.csv", "id\n1\n");
  await chmod(path, 0);
  await chmod(dirname(path), 0o755);
  const program = new URL("./open-without-rights.fixture.ts", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [program, path]);
  expect(JSON.parse(stdout)).toEqual({
    code: "source_unreadable",
    message: expect.stringContaining("permission is denied"),
  });
});

test("a fingerprint changes with size, time or beginning, and with nothing else", async () => {
  const path = await fileOf("print.csv", "id\n1\n");
  const print = async () => (await openSource(path)).fingerprint();
  const prints = [await print()];
  expect(await print()).toBe(prints[0]);
  await utimes(path, 1, 1);
  prints.push(await print());
  await writeFile(path, "id\n2\n");
  await utimes(path, 1, 1);
  prints.push(await print());
  await writeFile(path, "id\n2\n3\n");
  await utimes(path, 1, 1);
  prints.push(await print());
  expect(new Set(prints).size).toBe(4);
});

test.for(["csv", "tsv", "jsonl", "json", "parquet"] as const)(
  "%s: skipped items are the first ones, total counts all",
  async (format) => {
    const numbers = Array.from({ length: 30 }, (_, n) => n);
    const content = {
      csv: `id\n${numbers.map((n) => (n === 4 ? "4,4" : n)).join("\n")}\n`,
      tsv: `id\n${numbers.join("\n")}`,
      jsonl: numbers.map((n) => (n === 4 ? "bad" : `{"id":${n}}`)).join("\n"),
      json: JSON.stringify(numbers.map((id) => ({ id }))),
      parquet: parquetOf(30),
    }[format];
    const path = await fileOf(`skip.${format}`, content);
    const items = await readAll(path);
    expect(await (await openSource(path)).total()).toBe(30);
    expect(items).toHaveLength(30);
    expect(await readAll(path, { skip: 17 })).toEqual(items.slice(17));
    expect(await readAll(path, { skip: 30 })).toEqual([]);
  },
);

test("JSON lines: records out = records in", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.dictionary(field, fc.jsonValue())),
      fc.integer({ min: 1, max: 50 }),
      async (records, chunkBytes) => {
        const text = records.map((record) => JSON.stringify(record)).join("\n");
        const items = await readAll("-", { stdin: pipe(Buffer.from(text), chunkBytes), format: "jsonl" });
        expect(brief(items)).toEqual(JSON.parse(`[${text.replaceAll("\n", ",")}]`));
      },
    ),
  );
});
