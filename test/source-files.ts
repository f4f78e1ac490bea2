import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

export const root = join(import.meta.dirname, "..");

/** Every file of the project, relative to its root; what git ignores is left out. */
export const files: readonly string[] = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard"],
  { cwd: root, encoding: "utf8" },
)
  .split("\n")
  .filter((path) => path !== "" && existsSync(join(root, path)));

export const read = (path: string): string => readFileSync(join(root, path), "utf8");
export const isTest = (path: string): boolean => path.endsWith(".test.ts");
export const linesOf = (text: string): string[] => text.replace(/\n$/, "").split("\n");

/** A function's first line (from 1) and length. */
export interface FunctionSpan {
  readonly line: number;
  readonly lines: number;
}

const opening =
  /^\s*(export )?(default )?(async )?function\b|^\s+(static |async |get |set |override |private )*[#\w]+(<[^()]*>)?\(.*(\{|\()$|(=>|= async \() \{$|\w = (async )?\($/;
const notFunctions = /^\s*(\} )?(if|for|while|switch|catch|else|return|await|do)\b|\bdescribe[\w.]*\(/;

/** Functions as Biome formats them: a body ends at the first line that begins with `}` at the depth of its head. */
export function functionsIn(text: string): FunctionSpan[] {
  const lines = linesOf(text);
  return lines.flatMap((line, start) => {
    if (!opening.test(line) || notFunctions.test(line)) return [];
    const indent = /^\s*/.exec(line)?.[0] ?? "";
    const isAtDepth = (other: string) => other.startsWith(indent) && /^\S/.test(other.slice(indent.length));
    let end = start;
    if (!line.endsWith("{")) {
      end = lines.findIndex((other, at) => at > start && isAtDepth(other));
      if (end < 0 || !lines[end]?.endsWith("{")) return [];
    }
    end = lines.findIndex((other, at) => at > end && isAtDepth(other) && other.trimStart().startsWith("}"));
    return end < 0 ? [] : [{ line: start + 1, lines: end - start + 1 }];
  });
}

const relativeImport = /(?:from |import |import\(|new URL\()\s*"(\.[^"]+)"/g;

/** The project's files that a file imports, runs as a worker or reads by a path relative to itself. */
export function importsOf(path: string): string[] {
  return [...read(path).matchAll(relativeImport)].map(([, to]) =>
    normalize(join(dirname(path), to as string)),
  );
}
