import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * A TCP line to a server. Cut, its connections break and new ones are refused; silent, they stay open and nothing comes
 * through, as behind a firewall that drops packets.
 */
export class Line {
  readonly #to: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;
  #silent = false;

  constructor(to: { host: string; port: number }) {
    this.#to = to;
  }

  get port(): number {
    return this.#port;
  }

  async mend(): Promise<void> {
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

  /** What is underway stays so until it speaks again. */
  silence(silent: boolean): void {
    this.#silent = silent;
    for (const socket of this.#sockets) {
      if (silent) socket.pause();
      else socket.resume();
    }
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
    near.pipe(far).pipe(near);
    if (this.#silent) this.silence(true);
  }
}
