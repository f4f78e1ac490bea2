import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { once } from "node:events";

export interface HeldQueue {
  /** Of Postgres or Redis. */
  readonly url: string;
  /** Of Redis' keys. */
  readonly prefix: string;
  readonly leaseMs: number;
}

/** Starts a process that takes one packet of channel `records` and holds it; resolves when it has it. */
export async function startHolder(
  { url, prefix, leaseMs }: HeldQueue,
  environment: NodeJS.ProcessEnv = {},
): Promise<{ kill(): Promise<void> }> {
  const script = new URL("./hold-packet.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, url, prefix, String(leaseMs)], {
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
