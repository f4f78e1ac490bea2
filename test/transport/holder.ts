import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Transport } from "@medley/core";

/** Starts a process of a program here that takes one packet of channel `records` and holds it; resolves when it has it. */
export async function startHolder(
  program: "hold-packet.ts" | "hold-record.ts",
  programArguments: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<{ kill(): Promise<void> }> {
  const script = new URL(`./${program}`, import.meta.url).pathname;
  const child = spawn(process.execPath, [script, ...programArguments], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  const [said] = await once(child.stdout, "data");
  assert.equal(String(said), "held\n");
  return {
    kill: async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** For the programs: takes one packet and holds it until the process is killed. */
export async function holdOne(transport: Transport): Promise<void> {
  await transport.consume(
    "records",
    async () => {
      process.stdout.write("held\n");
      await new Promise(() => {});
    },
    { packetsInFlightMax: 1 },
  );
}
