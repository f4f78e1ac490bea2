import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export type ServiceName = "producer" | "embedding-worker" | "indexer" | "query";

export interface ServiceOptions {
  /** The working directory; `MEDLEY_CONFIG` is relative to it. */
  readonly folder: string;
  /** Besides this process's own. */
  readonly environment: Readonly<Record<string, string>>;
  /** Linux: the only cores it may run on. Default: all. */
  readonly cores?: readonly number[];
}

const readyMsMax = 60_000;

/** One of the four services as a process of its own, on a free port of loopback. */
export class ServiceProcess {
  readonly name: ServiceName;
  readonly child: ChildProcess;
  readonly url: string;
  #log = "";

  private constructor(name: ServiceName, child: ChildProcess, url: string) {
    this.name = name;
    this.child = child;
    this.url = url;
    child.stderr?.setEncoding("utf8").on("data", (text) => {
      this.#log += text;
    });
  }

  /** Resolves when it is ready to work; throws with its log where it ends before. */
  static async start(name: ServiceName, options: ServiceOptions): Promise<ServiceProcess> {
    const port = await freePort();
    const main = join(import.meta.dirname, `../services/${name}/src/main.ts`);
    const command = [process.execPath, main];
    if (options.cores !== undefined) command.unshift("taskset", "-c", options.cores.join(","));
    const child = spawn(command[0] as string, command.slice(1), {
      cwd: options.folder,
      env: { ...process.env, ...options.environment, MEDLEY_HTTP_PORT: String(port) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const service = new ServiceProcess(name, child, `http://127.0.0.1:${port}`);
    await service.#ready();
    return service;
  }

  /** What it has written to its log so far. */
  get log(): string {
    return this.#log;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resolves to exit code and signal once it has ended. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<readonly [number | null, NodeJS.Signals | null]> {
    if (!this.running) return [this.child.exitCode, this.child.signalCode];
    const exited = once(this.child, "exit");
    this.child.kill(signal);
    return (await exited) as [number | null, NodeJS.Signals | null];
  }

  async #ready(): Promise<void> {
    const endsAtMs = performance.now() + readyMsMax;
    for (;;) {
      if (!this.running) throw new Error(`${this.name} ended: ${this.#log}`);
      const status = await fetch(`${this.url}/readyz`).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) return;
      if (performance.now() > endsAtMs) {
        await this.end("SIGKILL");
        throw new Error(`${this.name} is not ready after ${readyMsMax} ms: ${this.#log}`);
      }
      await sleep(20);
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
