/** How the project's files look: CONTRIBUTING.md in the form of tests. Each lists the files at fault. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { files, functionsIn, importsOf, isTest, linesOf, read, root } from "./source-files.ts";

const typescript = files.filter((path) => path.endsWith(".ts"));
const text = files.filter((path) => /\.(ts|js|json|sql|sh|md|yml|py|toml)$|(^|\/)[^.]+$/.test(path));
const thisFile = "test/tidy.test.ts";

/** `path:line` of every line of `paths` that `pattern` finds. */
function linesWith(paths: readonly string[], pattern: RegExp): string[] {
  return paths
    .filter((path) => path !== thisFile)
    .flatMap((path) =>
      linesOf(read(path)).flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1}`] : [])),
    );
}

test("files are at most 400 lines, tests 500", () => {
  const long = files
    .filter((path) => /\.(ts|js|sql|sh|py)$/.test(path))
    .filter((path) => linesOf(read(path)).length > (isTest(path) ? 500 : 400));
  expect(long).toEqual([]);
});

test("functions are at most 70 lines", () => {
  const long = typescript.flatMap((path) =>
    functionsIn(read(path))
      .filter(({ lines }) => lines > 70)
      .map(({ line, lines }) => `${path}:${line} ${lines} lines`),
  );
  expect(long).toEqual([]);
});

test("a function's length is counted from its head to its brace", () => {
  const body = "  if (a) {\n    b();\n  }\n";
  expect(functionsIn(`export async function f(a: A): B {\n${body}}\n`)).toEqual([{ line: 1, lines: 5 }]);
  expect(functionsIn(`function f(\n  a: A,\n): B {\n${body}}\nf();\n`)).toEqual([{ line: 1, lines: 7 }]);
  expect(functionsIn(`const f = (a: A) => {\n${body}};\n`)).toEqual([{ line: 1, lines: 5 }]);
  expect(functionsIn(`class C {\n  async #f<A>(a: A): B {\n    b();\n  }\n}\n`)).toEqual([
    { line: 2, lines: 3 },
  ]);
  expect(functionsIn(`call(\n  a,\n);\n`)).toEqual([]);
});

test("files and folders are named by what they hold", () => {
  const vague = /(^|\/)(utils?|helpers?|types?|interfaces?|common|misc)(\/|\.\w+$)/;
  expect(files.filter((path) => vague.test(path))).toEqual([]);
});

test("what is left to do says where it is followed", () => {
  expect(linesWith(text, /\b(TODO|FIXME|XXX)\b(?!\()/)).toEqual([]);
});

test("nothing depends on one machine", () => {
  expect(linesWith(text, /(?<![\w.\-/}])\/(work|root|home|Users|tmp)\//)).toEqual([]);
});

test("packages are named, the hosts they come from are not", () => {
  const hosts =
    /registry\.npmjs\.org|registry\.yarnpkg|files\.pythonhosted\.org|\bpypi\.org|repo1?\.maven\.|index\.crates\.io|\/artifactory\//;
  expect(linesWith(text, hosts)).toEqual([]);
  expect(linesWith(["package-lock.json"], /"resolved": "(https?|git)/)).toEqual([]);
});

test("no test is left out by hand", () => {
  const tests = typescript.filter(isTest);
  expect(linesWith(tests, /\b(test|it|describe)(\.\w+)*\.(only|skip|todo)\b/)).toEqual([]);
});

// `limit` of rows is SQL's own word.
test("options carry their unit, bounds end in Max", () => {
  const sources = typescript.filter((path) => /^packages\/[^/]+\/src\//.test(path) && !isTest(path));
  expect(linesWith(sources, /^\s+(readonly )?(timeout|size|interval|delay)\??: .*;$/)).toEqual([]);
});

test("every source file is used by more than its own test", () => {
  const manifests = files.filter((path) => basename(path) === "package.json");
  const entries = manifests.flatMap((path) =>
    [...read(path).matchAll(/"\.\/([^"]+\.(?:ts|js))"/g)].map(([, to]) => join(dirname(path), to as string)),
  );
  const used = new Set(entries);
  for (const path of files.filter((file) => /\.[jt]s$/.test(file))) {
    for (const imported of importsOf(path)) {
      if (path !== imported.replace(/\.ts$/, ".test.ts")) used.add(imported);
    }
  }
  const sources = typescript.filter((path) => path.includes("/src/") && !isTest(path));
  const dead = sources.filter((path) => !used.has(path) && basename(path) !== "main.ts");
  expect(dead).toEqual([]);
});

test("what packages export and run is there", () => {
  const manifests = files.filter((path) => basename(path) === "package.json");
  const missing = manifests.flatMap((path) =>
    [...read(path).matchAll(/"\.\/([^"*]+\.(?:ts|js))"/g)]
      .map(([, to]) => join(dirname(path), to as string))
      .filter((target) => !files.includes(target)),
  );
  expect(missing).toEqual([]);
});

test("every package has a tag for the borders of turbo.json", () => {
  const packages = files.filter((path) => basename(path) === "package.json" && path !== "package.json");
  const untagged = packages
    .map((path) => join(dirname(path), "turbo.json"))
    .filter((path) => !files.includes(path) || (JSON.parse(read(path)).tags ?? []).length === 0);
  expect(untagged).toEqual([]);
});

test("links between pages lead to a file", () => {
  const broken = files
    .filter((path) => path.endsWith(".md"))
    .flatMap((path) =>
      [...read(path).matchAll(/\]\((?!\w+:|#)([^)\s#]+)[^)]*\)/g)]
        .filter(([, to]) => !existsSync(join(root, dirname(path), to as string)))
        .map(([, to]) => `${path}: ${to}`),
    );
  expect(broken).toEqual([]);
});

test("files that docs/ARCHITECTURE.md and docs/PROMISES.md name exist, and so do the tests", () => {
  const missing = ["docs/ARCHITECTURE.md", "docs/PROMISES.md"].flatMap((page) =>
    [...read(page).matchAll(/`((?:packages|services|test|infra|examples)\/[^`*]+\.\w+)`(?:,? "([^"]+)")?/g)]
      .filter(
        ([, path, name]) => !files.includes(path as string) || !read(path as string).includes(name ?? ""),
      )
      .map(([, path, name]) => `${page}: ${path} ${name ?? ""}`),
  );
  expect(missing).toEqual([]);
});

test("docs/ARCHITECTURE.md is read in one go", () => {
  expect(linesOf(read("docs/ARCHITECTURE.md")).length).toBeLessThanOrEqual(200);
});

test("at most eight npm scripts", () => {
  expect(Object.keys(JSON.parse(read("package.json")).scripts).length).toBeLessThanOrEqual(8);
});
