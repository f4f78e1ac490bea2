import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export type Direction = "up" | "down";

/**
 * Reads what passes a connection. It answers with the bytes to send on (they may be fewer, or come later), or with null
 * to reset both ends now.
 */
export interface Inspector {
  pass(direction: Direction, bytes: Buffer): Buffer | null;
}

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

interface Link {
  readonly near: Socket;
  readonly far: Socket;
  readonly inspector: Inspector;
  readonly closed: AbortController;
  /** Nothing gets through any more, not even that the other end has closed: as where a machine or a route vanished. */
  isDead: boolean;
}

const passAll: Inspector = { pass: (_direction, bytes) => bytes };

/**
 * A TCP line between services and a server, which can be made to fail as networks do. Its port stays the same, and it
 * listens also while the server is down: then connections break at once.
 */
export class TcpProxy implements AsyncDisposable {
  readonly #to: () => Address;
  readonly #inspector: () => Inspector;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #stalledUntilMs = 0;
  #latency = { ms: 0, untilMs: 0 };

  private constructor(to: () => Address, inspector: () => Inspector) {
    this.#to = to;
    this.#inspector = inspector;
    this.#server = createServer((near) => this.#join(near));
  }

  /** `to` is asked for each connection: the server may not have been started yet. */
  static async open(to: () => Address, inspector: () => Inspector = () => passAll): Promise<TcpProxy> {
    const proxy = new TcpProxy(to, inspector);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  get connections(): number {
    return this.#links.size;
  }

  /** Breaks every connection that works: both ends see a reset. */
  reset(): void {
    for (const link of this.#links) if (!link.isDead) this.#break(link);
  }

  /** Nothing gets through for a while; nothing is lost. */
  stall(ms: number): void {
    this.#stalledUntilMs = Date.now() + ms;
  }

  /** What is on its way takes longer, for a while. */
  slow(latencyMs: number, ms: number): void {
    this.#latency = { ms: latencyMs, untilMs: Date.now() + ms };
  }

  /** Nothing comes through each connection that `isChosen` ever again; its client sees it open until it closes it itself. */
  halfOpen(isChosen: () => boolean): number {
    const chosen = [...this.#links].filter((link) => !link.isDead && isChosen());
    for (const link of chosen) link.isDead = true;
    return chosen.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const link of this.#links) this.#break(link);
    await closed;
  }

  #join(near: Socket): void {
    const link: Link = {
      near,
      far: connect({ ...this.#to(), noDelay: true }),
      inspector: this.#inspector(),
      closed: new AbortController(),
      isDead: false,
    };
    near.setNoDelay(true);
    this.#links.add(link);
    for (const socket of [near, link.far]) socket.on("error", () => {});
    near.on("close", () => this.#break(link));
    link.far.on("close", () => {
      if (!link.isDead) this.#break(link);
    });
    void this.#pump(link, "up", near, link.far);
    void this.#pump(link, "down", link.far, near);
  }

  async #pump(link: Link, direction: Direction, from: Socket, to: Socket): Promise<void> {
    try {
      for await (const bytes of from) {
        await this.#travel(link.closed.signal);
        if (link.isDead) continue;
        const rest = link.inspector.pass(direction, bytes as Buffer);
        if (rest === null) return this.#break(link);
        if (rest.length > 0 && !to.write(rest)) await once(to, "drain", { signal: link.closed.signal });
      }
      if (!link.isDead) to.end();
    } catch {
      if (!link.isDead || direction === "up") this.#break(link);
    }
  }

  async #travel(signal: AbortSignal): Promise<void> {
    const nowMs = Date.now();
    const latencyMs = nowMs < this.#latency.untilMs ? this.#latency.ms : 0;
    const waitMs = Math.max(this.#stalledUntilMs - nowMs, latencyMs);
    if (waitMs > 0) await sleep(waitMs, undefined, { signal });
  }

  #break(link: Link): void {
    if (!this.#links.delete(link)) return;
    link.closed.abort();
    link.near.resetAndDestroy();
    link.far.resetAndDestroy();
  }
}
