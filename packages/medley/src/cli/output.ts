import { errorTable, MedleyError } from "@medley/core";

/** 0 done, 1 failed, 2 used wrongly, 3 failed for a passing reason, 4 done but with dead letters, 130 interrupted. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 130;

/** What `--json` prints, one object on stdout: docs/CLI.md documents it, and its fields only ever grow. */
export interface JsonEnvelope {
  readonly schemaVersion: 1;
  readonly command: string;
  readonly status: "ok" | "dead_letters" | "interrupted" | "error";
  readonly exitCode: ExitCode;
  readonly data: unknown;
  readonly error: { readonly code: string; readonly message: string; readonly mend: string | null } | null;
}

export interface Outcome {
  readonly exitCode: ExitCode;
  /** For `--json`; undefined: the command has printed its own. */
  readonly data: unknown;
  /** For people, on stdout; empty: nothing. */
  readonly text: string;
}

const statusOf: Record<ExitCode, JsonEnvelope["status"]> = {
  0: "ok",
  1: "error",
  2: "error",
  3: "error",
  4: "dead_letters",
  130: "interrupted",
};

/** Prints what a command came to: results to stdout, errors to stderr (with `--json`, both as one object on stdout). */
export function printOutcome(command: string, outcome: Outcome, json: boolean): ExitCode {
  const { exitCode, data, text } = outcome;
  if (json) {
    if (data === undefined) return exitCode;
    printEnvelope({ schemaVersion: 1, command, status: statusOf[exitCode], exitCode, data, error: null });
  } else if (text !== "") process.stdout.write(`${text}\n`);
  return exitCode;
}

export function printError(command: string, error: unknown, json: boolean): ExitCode {
  const known = error instanceof MedleyError;
  const exitCode = known ? errorTable[error.code].exitCode : 1;
  const message = error instanceof Error ? error.message : String(error);
  const mend = known ? (error.mend ?? null) : null;
  const code = known ? error.code : "internal";
  if (json) {
    const described = { code, message, mend };
    printEnvelope({ schemaVersion: 1, command, status: "error", exitCode, data: null, error: described });
  } else {
    process.stderr.write(`medley ${command}: ${message} [${code}]\n${mend === null ? "" : `  ${mend}\n`}`);
    // A bug of ours: the stack is what the person who mends it needs.
    if (!known && error instanceof Error && error.stack) process.stderr.write(`${error.stack}\n`);
  }
  return exitCode;
}

function printEnvelope(envelope: JsonEnvelope): void {
  process.stdout.write(`${JSON.stringify(envelope)}\n`);
}

/** Rows as aligned columns; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? "").length)));
  const isNumber = head.map((_, column) => rows.every((row) => typeof row[column] === "number"));
  return cells
    .map((row) =>
      row
        .map((cell, column) =>
          isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
