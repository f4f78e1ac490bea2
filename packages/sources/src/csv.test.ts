import { join } from "node:path";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openSource } from "./index.ts";
import { brief, field, fileOf, folder, pipe, read, readAll } from "./source.fixture.ts";

test("CSV: rows under a header, with their lines, and as they came", async () => {
  const items = await read(
    "films.csv",
    'id,title,plot\r\n1,"Alien, again","In space\r\nno one ""hears""."\r\n\r\n2,,\n3,x,y',
  );
  expect(
    items.map((item) => [item.source, item.ok && item.value, Buffer.from(item.payload).toString()]),
  ).toEqual([
    [
      "films.csv:2",
      { id: "1", title: "Alien, again", plot: 'In space\r\nno one "hears".' },
      '1,"Alien, again","In space\r\nno one ""hears""."\r',
    ],
    ["films.csv:5", { id: "2", title: "", plot: "" }, "2,,"],
    ["films.csv:6", { id: "3", title: "x", plot: "y" }, "3,x,y"],
  ]);
});

test.for([
  ["too few columns", "2,b", "bad.csv:3 has 2 columns where the header has 3"],
  ["too many columns", "2,b,c,d", "bad.csv:3 has 4 columns where the header has 3"],
  ["a quote inside a field", '2,5" disk,c', "bad.csv:3 (column 4) has a quote in the middle of a field"],
  ["text after a closing quote", '2,"b"x,c', "bad.csv:3 (column 3) has a quote in the middle of a field"],
  ["a quote never closed", '2,"b,c', "bad.csv:3 (column 3) opens a quote that is never closed"],
  ["not UTF-8", Buffer.from([0x32, 0x2c, 0xff, 0x2c]), "bad.csv:3 is not valid UTF-8"],
  ["a long line", `2,b,${"c".repeat(200)}`, "bad.csv:3 is longer than 100 bytes"],
] as const)("CSV: %s is one bad item, and the others go on", async ([, line, reason]) => {
  const content = Buffer.concat([
    Buffer.from("id,b,c\n1,b,c\n"),
    Buffer.from(line),
    Buffer.from("\n3,b,c\n4,b,c\n"),
  ]);
  const items = await read("bad.csv", content, { lineBytesMax: 100 });
  expect(items.map((item) => (item.ok ? item.value.id : item.reason))).toEqual([
    "1",
    expect.stringContaining(reason),
    "3",
    "4",
  ]);
  const [, bad] = items;
  expect(Buffer.from(bad?.payload ?? [])).toEqual(Buffer.from(line));
  expect(bad).toMatchObject({ ok: false, code: "body_malformed", source: "bad.csv:3" });
});

test("CSV: a quote never closed costs its line only, also where later rows have quotes", async () => {
  const items = await read("open.csv", 'id,b\n1,"open\n2,"fine, and\nlong"\n3,"fine"\n4,"open again\n5,c\n');
  expect(brief(items)).toEqual([
    expect.stringContaining("open.csv:2 (column 3)"),
    { id: "2", b: "fine, and\nlong" },
    { id: "3", b: "fine" },
    expect.stringContaining("open.csv:6 (column 3)"),
    { id: "5", b: "c" },
  ]);
});

test("CSV: a quoted row over the limit is one bad line", async () => {
  const items = await read("long.csv", `id,b\n1,"${"x\n".repeat(60)}"\n2,c\n`, { lineBytesMax: 100 });
  expect(items.at(0)).toMatchObject({ ok: false, source: "long.csv:2" });
  expect(items.at(-1)).toMatchObject({ ok: true, source: "long.csv:63", value: { id: "2", b: "c" } });
});

test.for([
  ["twice.csv", "id,title,id\n1,a,b\n", 'names two columns "id"'],
  ["quote.csv", 'id,ti"tle\n1,a\n', "the header (line 1) (column 6) has a quote"],
  ["utf16.csv", Buffer.from("\ufeffid,title\n1,a\n", "utf16le"), "is UTF-16"],
] as const)("CSV: a header that can't be used is said (%s)", async ([name, content, message]) => {
  await expect(read(name, content)).rejects.toMatchObject({
    code: "source_unreadable",
    message: expect.stringContaining(message),
    mend: expect.any(String),
  });
});

test("CSV without rows, and nothing at all", async () => {
  expect(await read("header.csv", "id,title\n")).toEqual([]);
  expect(await read("empty.csv", "")).toEqual([]);
  expect(await (await openSource(join(folder, "empty.csv"))).total()).toBe(0);
});

test("TSV: tabs by the extension; quotes inside a field are characters", async () => {
  const items = await read("films.tsv", 'id\ttitle\n1\tAlien, 5" disk\n2\t"a\tb"\n\t\n');
  expect(brief(items)).toEqual([
    { id: "1", title: 'Alien, 5" disk' },
    { id: "2", title: "a\tb" },
    { id: "", title: "" },
  ]);
});

// A row of one empty field would be an empty line, which is left aside.
const table = fc
  .integer({ min: 2, max: 5 })
  .chain((columns) => fc.array(fc.array(field, { minLength: columns, maxLength: columns })));

function quoted(value: string): string {
  return /["\r\n\t,]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

test("CSV: rows out = rows in, as csv-parse reads them", async () => {
  await fc.assert(
    fc.asyncProperty(
      table,
      fc.constantFrom("\n", "\r\n"),
      fc.integer({ min: 1, max: 50 }),
      async (rows, eol, chunkBytes) => {
        const header = Array.from({ length: rows[0]?.length ?? 2 }, (_, index) => `c${index}`);
        const text = [header, ...rows].map((row) => row.map(quoted).join(",")).join(eol);
        const items = await readAll("-", { stdin: pipe(Buffer.from(text), chunkBytes), format: "csv" });
        const oracle = parse(text, { columns: true, record_delimiter: eol });
        expect(brief(items)).toEqual(oracle);
        expect(items).toHaveLength(rows.length);
      },
    ),
  );
});

test("any bytes give as many items as a count says, and never more than there are lines", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom('"', ",", "\n", ""),
      async (noise, glue) => {
        const content = Buffer.concat([
          Buffer.from("a,b\n"),
          ...Array.from(noise, (byte) => Buffer.from([byte, ...Buffer.from(glue)])),
        ]);
        const path = await fileOf("noise.csv", content);
        const source = await openSource(path, { lineBytesMax: 100 });
        const items = await Array.fromAsync(source.records());
        expect(await source.total()).toBe(items.length);
        expect(items.length).toBeLessThanOrEqual(content.toString("latin1").split("\n").length - 1);
      },
    ),
  );
});
