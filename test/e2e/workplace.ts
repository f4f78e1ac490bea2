import { strict as assert } from "node:assert";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export const bin = join(import.meta.dirname, "../../packages/medley/bin/medley.js");

export const fields = {
  title: "text",
  kinds: "categories",
  price: "number",
  opened: "timestamp",
  place: "geo",
  taste: "vector(4)",
} as const;

/** One collection with a space of every kind that needs no further files. */
export function configOf(collection: object = {}, title: object = {}): object {
  const spaces = {
    title: { encoder: "text", field: "title", ...title },
    kinds: { encoder: "category", field: "kinds", values: ["bar", "cafe", "park"] },
    price: { encoder: "number", field: "price", range: [0, 100] },
    opened: { encoder: "recency", field: "opened", horizonDays: 3650 },
    place: { encoder: "geo", field: "place" },
    taste: { encoder: "vector", field: "taste" },
  };
  return { collections: { places: { fields, spaces, ...collection } } };
}

/** Record n; the same n gives the same record. */
export function placeOf(n: number): Record<string, unknown> {
  const names = ["quiet reading corner", "loud live music", "green trees and a pond", "espresso and cake"];
  return {
    id: `p${n}`,
    title: `${names[n % names.length]} number ${n}`,
    kinds: [["bar", "cafe", "park"][n % 3]],
    price: n % 100,
    opened: new Date(Date.UTC(2024, 0, 1 + (n % 700))).toISOString(),
    place: { lat: 50 + (n % 10), lon: 5 + (n % 7) },
    taste: [1, n % 5, n % 3, 0.5],
  };
}

export function placesOf(count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, n) => placeOf(n));
}

export function jsonLines(records: readonly unknown[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join("");
}

/** A folder with a configuration; `dispose` ends what still runs in it and removes it. */
export class Workplace implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "medley-e2e-"));
  readonly #children = new Set<ChildProcess>();

  constructor(config: object = configOf()) {
    this.write("medley.config.json", JSON.stringify(config));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  start(
    args: readonly string[],
    options: { environment?: NodeJS.Dict<string>; stdin?: string } = {},
  ): Command {
    const environment = {
      ...process.env,
      MEDLEY_HTTP_PORT: "0",
      MEDLEY_POSTGRES_PORT: "0",
      ...options.environment,
    };
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: this.folder,
      env: environment,
      stdio: "pipe",
    });
    this.#children.add(child);
    child.on("exit", () => this.#children.delete(child));
    child.stdin.on("error", () => {});
    child.stdin.end(options.stdin ?? "");
    return new Command(child);
  }

  run(args: readonly string[], options: Parameters<Workplace["start"]>[1] = {}): Promise<Ended> {
    return this.start(args, options).ended;
  }

  /** With `--json`: what the one object on stdout says. */
  async runJson(args: readonly string[], options: Parameters<Workplace["start"]>[1] = {}): Promise<Envelope> {
    const { code, stdout, stderr } = await this.run(["--json", ...args], options);
    assert.match(stdout, /^[^\n]+\n$/, `one line on stdout of ${args.join(" ")}: ${stdout}${stderr}`);
    const envelope: Envelope = JSON.parse(stdout);
    assert.equal(envelope.exitCode, code);
    return envelope;
  }

  /** `medley up`, once it listens. */
  async up(environment: NodeJS.Dict<string> = {}): Promise<Running> {
    const command = this.start(["up"], { environment });
    const [, httpUrl] = await command.said(/HTTP {3}(\S+)\/v1\/status/);
    const [, connectionString] = await command.said(/SQL {4}psql (\S+)/);
    return { command, httpUrl: httpUrl as string, connectionString: connectionString as string };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = [...this.#children].map((child) => once(child, "exit"));
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(ends);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Running {
  readonly command: Command;
  readonly httpUrl: string;
  readonly connectionString: string;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Envelope {
  readonly schemaVersion: number;
  readonly command: string;
  readonly status: string;
  readonly exitCode: number;
  readonly data: Json;
  readonly error: { code: string; message: string; mend: string | null } | null;
}

/** A `medley` that runs. */
export class Command {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding("utf8").on("data", (text) => {
      this.stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
    });
    this.ended = once(child, "close").then(([code, signal]) => {
      const { stdout, stderr } = this;
      return { code, signal, stdout, stderr };
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Resolves with the match when stderr holds it; throws when the process ends without. */
  async said(pattern: RegExp): Promise<RegExpExecArray> {
    let over = false;
    const end = this.ended.then(() => {
      over = true;
    });
    for (;;) {
      const match = pattern.exec(this.stderr);
      if (match !== null) return match;
      assert(!over, `ended without ${pattern}: ${this.stderr}`);
      await Promise.race([end, once(this.child.stderr as NodeJS.ReadableStream, "data")]);
    }
  }
}

/** Asks until the answer will do, at most about so many seconds. */
export async function until<Value>(
  ask: () => Promise<Value>,
  isDone: (value: Value) => boolean,
  secondsMax = 30,
): Promise<Value> {
  for (let tries = 0; ; tries += 1) {
    const value = await ask();
    if (isDone(value)) return value;
    assert(tries < secondsMax * 10, `still ${JSON.stringify(value)}`);
    await new Promise((resume) => setTimeout(resume, 100));
  }
}

/** JSON of an answer: each test says what it expects of it. */
// biome-ignore lint/suspicious/noExplicitAny: see above.
type Json = any;

/** Reads the answer also where it comes before the body is sent, which `fetch` may not. */
export async function ask(
  url: string,
  { method, headers, body }: { method: string; headers: Record<string, string>; body?: string },
): Promise<{ status: number; text: string }> {
  const sent = request(url, { method, headers });
  const answered = Promise.withResolvers<IncomingMessage>();
  sent.on("response", answered.resolve).on("error", answered.reject);
  sent.end(body);
  const answer = await answered.promise;
  return { status: answer.statusCode as number, text: await text(answer) };
}

export async function post(url: string, body: unknown): Promise<{ status: number; body: Json }> {
  const answer = await ask(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: answer.status, body: JSON.parse(answer.text) };
}
