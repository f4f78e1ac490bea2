import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { Reporter, TestModule } from "vitest/node";

/** What `npm test` prints at its end. */
export interface TestOutcome {
  readonly passed: number;
  /** Tests, and files that failed outside their tests: an import that throws, a hook. */
  readonly failed: number;
  readonly skipped: readonly { readonly file: string; readonly reason: string | null }[];
}

/** Writes a `TestOutcome` as JSON to the file that MEDLEY_TEST_OUTCOME names. */
export default class OutcomeReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const results = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => ({ module, result: test.result() })),
    );
    const brokenFiles = modules.filter(
      (module) => module.state() === "failed" && ![...module.children.allTests("failed")].length,
    );
    const outcome: TestOutcome = {
      passed: results.filter(({ result }) => result.state === "passed").length,
      failed:
        results.filter(({ result }) => result.state === "failed").length +
        brokenFiles.length +
        unhandledErrors.length,
      skipped: results
        .filter(({ result }) => result.state !== "passed" && result.state !== "failed")
        .map(({ module, result }) => ({
          file: relative(process.cwd(), module.moduleId),
          reason: result.state === "skipped" ? (result.note ?? null) : null,
        })),
    };
    writeFileSync(process.env.MEDLEY_TEST_OUTCOME as string, JSON.stringify(outcome));
  }
}
