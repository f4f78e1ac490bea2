import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ServedModel {
  readonly revision: string;
  /** By path. Of files over `lfsBytesMin`, the hub knows the sha256, of others git's hash. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** What goes wrong; a path is that of a file. */
export interface Trouble {
  /** Once: ends the connection after so many bytes of the answer. */
  readonly cutAfterBytes?: { readonly path: string; readonly bytes: number };
  /** Sends so many bytes of the answer and then no more, until it is closed. Each time. */
  readonly holdAfterBytes?: { readonly path: string; readonly bytes: number };
  /** Answers so many requests with this status. */
  readonly status?: { readonly code: number; readonly times: number; readonly retryAfter?: string };
  /** Sends other bytes than it lists. */
  readonly wrong?: string;
  /** Sends a file whole where a part is asked for, except for its first byte. */
  readonly ignoresRange?: string;
}

const lfsBytesMin = 1_000;

/**
 * Speaks the hub's protocol on loopback: model info, tree (in pages), resolve with ranges, hashes in `X-Linked-ETag`, large files
 * behind a redirect to another origin, 401 without the token.
 */
export class HubServer implements AsyncDisposable {
  readonly #models: Readonly<Record<string, ServedModel>>;
  readonly #token: string | undefined;
  readonly #hub: Server;
  readonly #storage: Server;
  /** `GET /path bytes=0-`, of both servers, in order. */
  readonly requests: string[] = [];
  /** Authorization headers that reached the storage: there must be none. */
  readonly leakedTokens: string[] = [];
  trouble: Trouble = {};

  private constructor(models: Readonly<Record<string, ServedModel>>, token: string | undefined) {
    this.#models = models;
    this.#token = token;
    this.#hub = createServer((request, response) => this.#answer(request, response));
    this.#storage = createServer((request, response) => this.#store(request, response));
  }

  static async open(
    models: Readonly<Record<string, ServedModel>>,
    options: { token?: string } = {},
  ): Promise<HubServer> {
    const server = new HubServer(models, options.token);
    for (const one of [server.#hub, server.#storage]) {
      await new Promise<void>((resolve) => one.listen(0, "127.0.0.1", resolve));
    }
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of [this.#hub, this.#storage]) {
      one.closeAllConnections();
      await new Promise((resolve) => one.close(resolve));
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url as string, this.endpoint);
    this.#note(request);
    const { status } = this.trouble;
    if (status !== undefined && status.times > 0) {
      this.trouble = { ...this.trouble, status: { ...status, times: status.times - 1 } };
      const headers = status.retryAfter === undefined ? {} : { "retry-after": status.retryAfter };
      response.writeHead(status.code, headers).end();
      return;
    }
    if (this.#token !== undefined && request.headers.authorization !== `Bearer ${this.#token}`) {
      json(response, 401, { error: "Invalid username or password." });
      return;
    }
    const info = /^\/api\/models\/(.+)\/revision\/([^/]+)$/.exec(pathname);
    const tree = /^\/api\/models\/(.+)\/tree\/([^/]+)$/.exec(pathname);
    const file = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
    const [, id, revision, path] = info ?? tree ?? file ?? [];
    const model = this.#models[id as string];
    const isKnown = ["main", "v1", model?.revision].includes(decodeURIComponent(revision ?? ""));
    if (model === undefined || !isKnown) json(response, 404, { error: "Repository not found" });
    else if (info) json(response, 200, { _id: "1", id, sha: model.revision, lastModified: 0 });
    else if (tree) this.#tree(response, model, Number(searchParams.get("cursor") ?? 0), pathname);
    else this.#resolve(request, response, model, path as string);
  }

  /** Two files a page. */
  #tree(response: ServerResponse, model: ServedModel, cursor: number, pathname: string): void {
    const entries = Object.entries(model.files);
    const page = entries.slice(cursor, cursor + 2).map(([path, bytes]) => {
      const file = { type: "file", path, size: bytes.length, oid: gitOid(bytes) };
      const lfs = { oid: sha256(bytes), size: bytes.length, pointerSize: 130 };
      return bytes.length < lfsBytesMin ? file : { ...file, oid: gitOid(Buffer.from("pointer")), lfs };
    });
    if (cursor + 2 < entries.length) {
      response.setHeader("link", `<${this.endpoint}${pathname}?cursor=${cursor + 2}>; rel="next"`);
    }
    json(response, 200, [{ type: "directory", path: "onnx", size: 0, oid: "0" }, ...page]);
  }

  #resolve(request: IncomingMessage, response: ServerResponse, model: ServedModel, path: string): void {
    const bytes = model.files[path];
    response.setHeader("x-repo-commit", model.revision);
    if (bytes === undefined) {
      response.setHeader("x-error-code", "EntryNotFound");
      json(response, 404, { error: "Entry not found" });
      return;
    }
    if (bytes.length < lfsBytesMin) {
      response.setHeader("etag", `"${gitOid(bytes)}"`);
      this.#send(request, response, path, bytes);
      return;
    }
    const { port } = this.#storage.address() as AddressInfo;
    const headers = {
      "x-linked-etag": `"${sha256(bytes)}"`,
      "x-linked-size": bytes.length,
      // Another host name is another origin.
      location: `http://localhost:${port}/${sha256(bytes)}?path=${encodeURIComponent(path)}`,
    };
    response.writeHead(302, headers).end();
  }

  #store(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url as string, "http://localhost");
    this.#note(request);
    if (request.headers.authorization !== undefined) this.leakedTokens.push(request.headers.authorization);
    const all = Object.values(this.#models).flatMap(({ files }) => Object.values(files));
    const bytes = all.find((one) => sha256(one) === pathname.slice(1)) as Uint8Array;
    response.setHeader("etag", `"${pathname.slice(1)}"`);
    response.setHeader("x-cache", "Hit from cloudfront"); // Clients go there directly from then on.
    this.#send(request, response, searchParams.get("path") as string, bytes);
  }

  #send(request: IncomingMessage, response: ServerResponse, path: string, bytes: Uint8Array): void {
    const { cutAfterBytes, holdAfterBytes, wrong, ignoresRange } = this.trouble;
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const isWhole = from === undefined || (ignoresRange === path && from !== "0");
    const start = isWhole ? 0 : Number(from);
    const end = isWhole || to === undefined || to === "" ? bytes.length : Number(to) + 1;
    const sent = Buffer.from(bytes.subarray(start, end));
    if (wrong === path) sent[0] = (sent[0] as number) ^ 1;
    if (!isWhole) response.setHeader("content-range", `bytes ${start}-${end - 1}/${bytes.length}`);
    response.writeHead(isWhole ? 200 : 206, { "content-length": sent.length });
    if (cutAfterBytes?.path === path && sent.length > cutAfterBytes.bytes) {
      const { cutAfterBytes: _, ...rest } = this.trouble;
      this.trouble = rest;
      response.write(sent.subarray(0, cutAfterBytes.bytes), () => setTimeout(() => response.destroy(), 100));
      return;
    }
    if (holdAfterBytes?.path === path && sent.length > holdAfterBytes.bytes) {
      response.write(sent.subarray(0, holdAfterBytes.bytes));
      return;
    }
    response.end(sent);
  }

  #note({ method, url, headers }: IncomingMessage): void {
    this.requests.push(`${method} ${url} ${headers.range ?? ""}`.trim());
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function gitOid(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
