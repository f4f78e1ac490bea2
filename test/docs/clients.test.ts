/** The examples of docs/CLIENTS.md, run as they stand against one `medley up`: each ends with `hits`. */
import { execFile } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { post, type Running, until, Workplace } from "../e2e/medley.fixture.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/CLIENTS.md"), "utf8");

interface Example {
  readonly section: string;
  readonly code: string;
  /** A file that the example names in its first line; null: it is run. */
  readonly file: string | null;
}

const examples: readonly Example[] = page.split(/^#{2,3} /m).flatMap((part) => {
  const section = part.slice(0, part.indexOf("\n"));
  return [...part.matchAll(/^```(?:ts|prisma)\n(.*?)^```$/gms)].map(([, code = ""]) => {
    const file = /^\/\/ (\S+)\n/.exec(code)?.[1] ?? null;
    return { section, code, file };
  });
});
const runs = examples.filter(({ file }) => file === null);

const config = {
  collections: {
    films: {
      fields: { title: "text", year: "number", genres: "categories", plot: "text" },
      spaces: {
        plot: { encoder: "text", field: "plot" },
        genres: { encoder: "category", field: "genres", values: ["Comedy", "Crime", "Western"] },
        year: { encoder: "number", field: "year", range: [1900, 2030] },
      },
      texts: { words: { fields: ["title", "plot"], language: "english" } },
    },
  },
};
const films = [
  {
    id: "heat",
    title: "Heat",
    year: 1995,
    genres: ["Crime"],
    plot: "A detective hunts a crew of bank robbers",
  },
  {
    id: "fargo",
    title: "Fargo",
    year: 1996,
    genres: ["Crime", "Comedy"],
    plot: "A car salesman has his wife kidnapped",
  },
  {
    id: "unforgiven",
    title: "Unforgiven",
    year: 1992,
    genres: ["Western"],
    plot: "An old gunslinger takes one last job",
  },
  {
    id: "chinatown",
    title: "Chinatown",
    year: 1974,
    genres: ["Crime"],
    plot: "A private eye uncovers a fraud over water",
  },
];

interface Hit {
  readonly id: string;
  readonly title?: string | null;
  readonly score?: number;
  readonly similarity?: number;
}

let workplace: Workplace;
let up: Running;
/** By example. */
let found: readonly (readonly Hit[])[];

beforeAll(async () => {
  workplace = new Workplace(config);
  up = await workplace.up();
  const collection = `${up.httpUrl}/v1/collections/films`;
  await post(`${collection}/records`, films);
  await until(
    () => post(`${collection}/search`, { parts: { year: 1990 } }),
    ({ body }) => body.hits?.length === films.length,
  );
});
beforeAll(async () => {
  symlinkSync(join(root, "node_modules"), workplace.path("node_modules"));
  workplace.write("package.json", '{ "type": "module" }');
  for (const { file, code } of examples) if (file !== null) workplace.write(file, code);
  for (const [at, { code }] of runs.entries())
    workplace.write(`example-${at}.ts`, `${code}\nexport { hits };\n`);
  await node(join(root, "node_modules/prisma/build/index.js"), "generate");
});
beforeAll(async () => {
  const hits = runs.map((_, at) => `(await import("./example-${at}.ts")).hits`);
  const all = `process.stdout.write(JSON.stringify([\n${hits.join(",\n")}\n]));\n`;
  found = JSON.parse(await node(workplace.write("all.ts", all)));
});
afterAll(() => workplace[Symbol.asyncDispose]());

/** What a script prints. */
async function node(...args: string[]): Promise<string> {
  const addresses = { DATABASE_URL: up.connectionString, MEDLEY_URL: up.httpUrl };
  // Any file will do: Prisma would fetch its schema engine, which `generate` does not run.
  const prisma = { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: "1" };
  const options = { cwd: workplace.folder, env: { ...process.env, ...addresses, ...prisma } };
  return (await promisify(execFile)(process.execPath, args, options)).stdout;
}

const hitsOf = (section: string) => found.filter((_, at) => runs[at]?.section === section);

test("the examples' types fit, as strictly as the project's own", async () => {
  const compilerOptions = { types: ["node"], typeRoots: [join(root, "node_modules/@types")] };
  const settings = { extends: join(root, "tsconfig.json"), compilerOptions, include: ["example-*.ts"] };
  workplace.write("tsconfig.json", JSON.stringify(settings));
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  expect(await node(compiler, "-p", ".").catch(({ stdout }) => stdout)).toBe("");
});

test("every section that is linked has an example", () => {
  const linked = [...page.matchAll(/\[([^\]]+)\]\(#[^)]+\)/g)].map(([, name]) => name as string);
  const sections = new Set(runs.map(({ section }) => section));
  const without = linked.filter(
    (name) => !["SQL", "HTTP", "assistants"].includes(name) && !sections.has(name),
  );
  expect(without).toEqual([]);
  expect(runs.length).toBeGreaterThanOrEqual(9);
});

test.for(["pg", "postgres.js", "Kysely", "Drizzle", "Prisma"])("%s: crime films of about 1995", (section) => {
  const [hits = []] = hitsOf(section);
  expect(hits.map(({ id, title }) => [id, title])).toEqual([
    ["heat", "Heat"],
    ["fargo", "Fargo"],
    ["unforgiven", "Unforgiven"],
  ]);
  const score = { heat: 3, fargo: 1 + Math.SQRT2, unforgiven: 1 };
  for (const hit of hits) expect(hit.score).toBeCloseTo(score[hit.id as keyof typeof score], 2);
});

test("words: over HTTP, and encoded for SQL, the same films with the same scores", () => {
  const [http = [], worded = [], sql = []] = hitsOf("TypeScript");
  expect(worded.map(({ id }) => id).toSorted()).toEqual(["chinatown", "fargo", "heat"]);
  expect(worded.at(-1)?.id).toBe("heat");
  expect(http.map(({ id }) => id)).toEqual(["heat", expect.any(String), expect.any(String)]);
  expect(sql.map(({ id }) => id)).toEqual(http.map(({ id }) => id));
  for (const [at, { score }] of sql.entries()) expect(score).toBeCloseTo(http[at]?.score ?? Number.NaN, 5);
  const [langchain = []] = hitsOf("LangChain.js");
  expect(langchain.map(({ id }) => id)).toEqual(http.map(({ id }) => id));
});

test("Supabase's function and the AI SDK's embedding find the film that the words are about", () => {
  const [matched = []] = hitsOf("Supabase");
  expect(matched[0]).toMatchObject({
    id: "heat",
    content: films[0]?.plot,
    metadata: { title: "Heat", year: 1995 },
  });
  expect(matched[0]?.similarity).toBeGreaterThan(0.3);
  expect(hitsOf("AI SDK")).toMatchObject([[{ id: "heat" }]]);
});
