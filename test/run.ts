/**
 * `npm test`: all suites; those against real services (see `services/services.ts`) where these can be had. Arguments go
 * to Vitest: `npm test -- packages/core`. What was left out is listed with its reason. The last line: N passed, N failed,
 * N skipped.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestOutcome } from "./outcome-reporter.ts";
import { provideServices } from "./services/services.ts";

const root = join(import.meta.dirname, "..");
const servicesMend = "MEDLEY_SERVICES=native npm test runs them against services of its own (75 MB, once)";
process.exitCode = await run(process.argv.slice(2));

async function run(vitestArguments: readonly string[]): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "medley-outcome-"));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const outcomePath = join(folder, "outcome.json");
  const services = await provideServices(process.env, stack);
  const variables: NodeJS.ProcessEnv = {
    ...process.env,
    ...services.variables,
    MEDLEY_TEST_OUTCOME: outcomePath,
  };
  const reporters = ["--reporter=default", "--reporter=./test/outcome-reporter.ts"];
  const exitCode = await vitest([...reporters, ...vitestArguments], variables);
  if (!existsSync(outcomePath)) {
    console.log("Vitest left no outcome\n0 passed, 1 failed, 0 skipped");
    return 1;
  }
  const { passed, failed, skipped }: TestOutcome = JSON.parse(readFileSync(outcomePath, "utf8"));
  const leftOut = Map.groupBy(
    skipped,
    ({ file, reason }) => `${file}: ${reason ?? reasonOf(file, variables)}`,
  );
  for (const [what, tests] of leftOut) console.log(`left out: ${tests.length} of ${what}`);
  if (skipped.some(({ file }) => file.endsWith(".services.test.ts"))) console.log(servicesMend);
  for (const line of services.report) console.log(line);
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  return failed > 0 ? 1 : exitCode;
}

/** Resolves to Vitest's exit code. A signal to this process goes to Vitest, so that what was started is stopped after it. */
async function vitest(options: readonly string[], variables: NodeJS.ProcessEnv): Promise<number> {
  const program = join(root, "node_modules/vitest/vitest.mjs");
  const child = spawn(process.execPath, [program, "run", ...options], {
    cwd: root,
    env: variables,
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  const ended = Promise.withResolvers<number>();
  child.on("error", ended.reject).on("exit", (code) => ended.resolve(code ?? 1));
  return ended.promise;
}

/** Suites are skipped for want of something the environment names: `process.env.DATABASE_URL`. */
function reasonOf(path: string, variables: NodeJS.ProcessEnv): string {
  const named = readFileSync(join(root, path), "utf8").matchAll(/process\.env\.(\w+)/g);
  const missing = new Set([...named].flatMap(([, name]) => (name && !variables[name] ? [name] : [])));
  return missing.size > 0 ? `${[...missing].join(", ")} is not set` : "skipped by the test itself";
}
