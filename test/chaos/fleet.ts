import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, type ServiceName } from "../service-process.ts";

export interface FleetOptions {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

export type MemberState = "up" | "down" | "frozen" | "closed";

/** A service that ends by itself is started again after this long, as a supervisor does. */
const restartPauseMs = 500;
const readyMsMax = 60_000;

/**
 * A service under a supervisor. States: *up*, *down* (killed, until its restart), *frozen* (stopped by a signal, its
 * connections open), *closed*. It keeps its port and its log file.
 */
export class Member {
  readonly name: string;
  readonly url: string;
  readonly #service: ServiceName;
  readonly #options: FleetOptions;
  readonly #port: number;
  #child: ChildProcess | null = null;
  #state: MemberState = "down";
  /** Times it ended though nobody had killed it. */
  #endings = 0;

  constructor(service: ServiceName, place: { number: number; port: number }, options: FleetOptions) {
    this.name = `${service}-${place.number}`;
    this.url = `http://127.0.0.1:${place.port}`;
    this.#service = service;
    this.#port = place.port;
    this.#options = options;
  }

  get state(): MemberState {
    return this.#state;
  }

  get endings(): number {
    return this.#endings;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    if (this.#state === "closed") return;
    const log = openSync(join(this.#options.folder, `${this.name}.log`), "a");
    const main = join(import.meta.dirname, `../../services/${this.#service}/src/main.ts`);
    const child = spawn(process.execPath, [main], {
      cwd: this.#options.folder,
      env: { ...process.env, ...this.#options.environment, MEDLEY_HTTP_PORT: String(this.#port) },
      stdio: ["ignore", "ignore", log],
    });
    closeSync(log);
    this.#child = child;
    this.#state = "up";
    child.on("exit", () => {
      if (this.#child !== child || this.#state === "closed" || this.#state === "down") return;
      this.#endings += 1;
      this.#state = "down";
      setTimeout(() => this.start(), restartPauseMs).unref();
    });
  }

  async kill(downMs: number): Promise<void> {
    await this.#end("down");
    await sleep(downMs);
    this.start();
  }

  async freeze(ms: number): Promise<void> {
    const child = this.#child;
    this.#state = "frozen";
    child?.kill("SIGSTOP");
    await sleep(ms);
    child?.kill("SIGCONT");
    if (this.#state === "frozen") this.#state = "up";
  }

  /** Ends it for good: SIGTERM must drain it within `graceMs`. */
  async stop(graceMs: number): Promise<"drained" | "killed"> {
    const child = this.#child;
    this.#state = "closed";
    if (child === null || child.exitCode !== null || child.signalCode !== null) return "drained";
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const late = sleep(graceMs, "late" as const, { ref: false });
    if ((await Promise.race([exited, late])) !== "late") return "drained";
    child.kill("SIGKILL");
    await exited;
    return "killed";
  }

  async ready(): Promise<void> {
    const endsAtMs = performance.now() + readyMsMax;
    while (!(await this.#isReady())) {
      if (performance.now() > endsAtMs) throw new Error(`${this.name} is not ready after ${readyMsMax} ms`);
      await sleep(50);
    }
  }

  async #isReady(): Promise<boolean> {
    const asked = fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(3_000) });
    return asked.then(
      async (answer) => {
        await answer.body?.cancel();
        return answer.status === 200;
      },
      () => false,
    );
  }

  async #end(state: "down" | "closed"): Promise<void> {
    const child = this.#child;
    this.#state = state;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }
}

/** The services of a run. */
export class Fleet implements AsyncDisposable {
  readonly members: Member[] = [];
  readonly #options: FleetOptions;
  readonly #counts = new Map<ServiceName, number>();

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  async add(service: ServiceName): Promise<Member> {
    const number = (this.#counts.get(service) ?? 0) + 1;
    this.#counts.set(service, number);
    const member = new Member(service, { number, port: await freePort() }, this.#options);
    this.members.push(member);
    member.start();
    return member;
  }

  of(service: ServiceName): readonly Member[] {
    return this.members.filter(({ name, state }) => name.startsWith(service) && state !== "closed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop(0)));
  }
}
