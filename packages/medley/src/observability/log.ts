import { MedleyError } from "@medley/core";
import { type Logger, pino } from "pino";
import type { LogLevel } from "../config/settings.ts";

/**
 * JSON lines on stderr. Of errors only the code and of requests only the id is written: messages of unknown errors, paths
 * and bodies may hold what a record says.
 */
export function openLogger(options: { readonly role: string; readonly level: LogLevel }): Logger {
  return pino(
    {
      level: options.level,
      base: { role: options.role, pid: process.pid },
      formatters: { level: (level) => ({ level }) },
      serializers: { err: codeOf, error: codeOf, req: requestIdOf, res: statusOf },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

/** A Medley error's code, or what kind of error it is. */
export function codeOf(error: unknown): string {
  if (error instanceof MedleyError) return error.code;
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "internal";
}

function requestIdOf(request: { id?: unknown } | null): unknown {
  return request?.id;
}

function statusOf(reply: { statusCode?: unknown } | null): unknown {
  return reply?.statusCode;
}
