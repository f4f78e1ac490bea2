/** docs/ERRORS.md from the table in `@medley/core`: `node infra/error-docs.ts --write`. */
import { writeFileSync } from "node:fs";
import { errorTable } from "@medley/core";

export const errorsPage = new URL("../docs/ERRORS.md", import.meta.url);

export function errorsMarkdown(): string {
  const rows = Object.entries(errorTable).map(
    ([code, error]) =>
      `| \`${code}\` | ${error.meaning} | ${error.exitCode} | ${error.httpStatus} | ${error.retryable ? "yes" : "no"} |`,
  );
  return `# Errors

Every error has a code; its message says what is wrong and where, and its mend what to do. The command line ends with the
exit code (1 failure, 2 usage, 3 passing), the HTTP interface answers with the status. *Again*: whether the same call may
succeed later without a change.

Written by \`infra/error-docs.ts\` from \`packages/core/src/errors.ts\`.

| code | meaning | exit | HTTP | again |
|---|---|---|---|---|
${rows.join("\n")}
`;
}

if (import.meta.main && process.argv.includes("--write")) writeFileSync(errorsPage, errorsMarkdown());
