import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";

export interface LineOptions {
  readonly host: string;
  readonly port: number;
  /** What answers pass through. Default: they pass as they are. */
  readonly answers?: (linePort: number) => Duplex;
}

/** A TCP line to a server, which can be cut (open connections break, new ones are refused) or stalled (nothing passes). */
export class Line {
  readonly #to: LineOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;
  #stalled = false;

  constructor(to: LineOptions) {
    this.#to = to;
  }

  get port(): number {
    return this.#port;
  }

  async mend(): Promise<void> {
    this.#stalled = false;
    for (const socket of this.#sockets) socket.resume();
    if (this.#server !== null) return;
    this.#server = createServer((near) => this.#join(near, connect(this.#to)));
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as { port: number }).port;
  }

  async cut(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    const closed = once(server, "close");
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  stall(): void {
    this.#stalled = true;
    for (const socket of this.#sockets) socket.pause();
  }

  #join(near: Socket, far: Socket): void {
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        near.destroy();
        far.destroy();
        this.#sockets.delete(socket);
      });
    }
    near.pipe(far);
    const answers = this.#to.answers?.(this.#port);
    if (answers === undefined) far.pipe(near);
    else far.pipe(answers).pipe(near);
    if (this.#stalled) for (const socket of [near, far]) socket.pause();
  }
}
