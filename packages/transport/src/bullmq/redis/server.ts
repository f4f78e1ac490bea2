import { MedleyError } from "@medley/core";
import { backendName } from "./connection.ts";

/** What BullMQ's scripts need; Valkey began at 7.2. */
const versionMin = [6, 2] as const;

/** What is asked of a server. */
export interface Server {
  info(section: "server" | "memory" | "persistence"): Promise<string>;
  config(get: "GET", name: "appendfsync"): Promise<unknown>;
}

/** Throws `MedleyError` `usage` where the server is older than BullMQ needs. */
export async function checkVersion(redis: Server): Promise<void> {
  const info = parseInfo(await redis.info("server"));
  const version = info.get("valkey_version") ?? info.get("redis_version");
  // Some services hide it: then they vouch for it.
  if (version === undefined) return;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > versionMin[0] || (major === versionMin[0] && minor >= versionMin[1])) return;
  throw new MedleyError("usage", `${backendName} runs in version ${version}`, {
    mend: `it must be ${versionMin.join(".")} or newer`,
  });
}

/**
 * How the server might lose packets that it has accepted, a sentence each. Where a service forbids to look, it says that
 * it could not be checked.
 */
export async function durabilityWarnings(redis: Server): Promise<readonly string[]> {
  const info = await ask(async () =>
    parseInfo(`${await redis.info("memory")}\n${await redis.info("persistence")}`),
  );
  const fsync = await ask(async () => (await redis.config("GET", "appendfsync")) as string[]);
  const warnings: string[] = [];
  const policy = info?.get("maxmemory_policy");
  const appendOnly = info?.get("aof_enabled");
  if (policy === undefined || appendOnly === undefined) {
    warnings.push("whether Redis keeps what it accepts could not be checked: it does not say (INFO)");
  }
  if (policy !== undefined && policy !== "noeviction") {
    warnings.push(
      `maxmemory-policy of Redis is ${policy}: when its memory is full it drops packets; set noeviction`,
    );
  }
  if (appendOnly === "0") {
    warnings.push("appendonly of Redis is off: packets are lost when it restarts; set appendonly yes");
  } else if (fsync === null) {
    warnings.push("appendfsync of Redis could not be checked: it forbids CONFIG GET");
  } else if (fsync[1] === "no") {
    warnings.push("appendfsync of Redis is no: a crash of its machine loses packets; set everysec or always");
  }
  return warnings;
}

async function ask<Answer>(question: () => Promise<Answer>): Promise<Answer | null> {
  try {
    return await question();
  } catch (error) {
    // Refused, as opposed to unreachable.
    if (error instanceof Error && error.name === "ReplyError") return null;
    throw error;
  }
}

export function parseInfo(text: string): ReadonlyMap<string, string> {
  const lines = text.split(/\r?\n/).map((line) => line.split(":", 2));
  return new Map(lines.flatMap(([name, value]) => (name && value !== undefined ? [[name, value]] : [])));
}
