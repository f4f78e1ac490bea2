import { expect, test } from "vitest";
import { checkVersion, durabilityWarnings, type Server } from "./server.ts";

const info = {
  server: "# Server\r\nredis_version:7.0.15\r\n",
  memory: "# Memory\r\nused_memory:1\r\nmaxmemory_policy:noeviction\r\n",
  persistence: "# Persistence\r\nloading:0\r\naof_enabled:1\r\n",
};

/** Answers as a server does; null: it refuses. */
function server(answers: Partial<Record<keyof typeof info | "appendfsync", string | null>> = {}): Server {
  const all = { ...info, appendfsync: "everysec", ...answers };
  const answer = (name: keyof typeof all) => {
    const text = all[name];
    if (text !== null) return text;
    throw Object.assign(new Error("NOPERM this user has no permissions"), { name: "ReplyError" });
  };
  return {
    info: async (section) => answer(section),
    config: async () => ["appendfsync", answer("appendfsync")],
  };
}

test("a server that keeps what it accepts gives no warning", async () => {
  expect(await durabilityWarnings(server())).toEqual([]);
  expect(await durabilityWarnings(server({ appendfsync: "always" }))).toEqual([]);
});

test.for([
  [{ memory: "maxmemory_policy:allkeys-lru\r\n" }, "allkeys-lru"],
  [{ persistence: "aof_enabled:0\r\n" }, "appendonly"],
  [{ appendfsync: "no" }, "appendfsync of Redis is no"],
  [{ appendfsync: null }, "appendfsync of Redis could not be checked"],
  [{ memory: null }, "could not be checked"],
] as const)("%j: a warning", async ([answers, warning]) => {
  expect(await durabilityWarnings(server(answers))).toEqual([expect.stringContaining(warning)]);
});

test("a server that can't be asked is a fault, not a warning", async () => {
  const asked = durabilityWarnings({
    ...server(),
    info: () => Promise.reject(new Error("Command timed out")),
  });
  await expect(asked).rejects.toThrow("timed out");
});

test.for([
  ["redis_version:6.2.0", true],
  ["redis_version:6.0.16", false],
  ["redis_version:5.0.14", false],
  ["redis_version:7.2.4\r\nvalkey_version:8.1.1", true],
  ["", true],
] as const)("version %j is accepted: %s", async ([text, accepted]) => {
  const checked = checkVersion(server({ server: text }));
  if (accepted) await checked;
  else await expect(checked).rejects.toMatchObject({ code: "usage", mend: expect.stringContaining("6.2") });
});
