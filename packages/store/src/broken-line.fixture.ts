import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/**
 * A TCP line to a Postgres that breaks once, at a chosen moment of a statement: `before` its last bytes reach the server, so
 * that nothing was done, or `after` the server has answered (and committed, since it answers no sooner), so that the client
 * does not hear of it.
 */
export class BrokenLine implements AsyncDisposable {
  readonly #to: { readonly host: string; readonly port: number };
  readonly #server = createServer((near) => this.#join(near, connect(this.#to)));
  readonly #sockets = new Set<Socket>();
  #breaks: "before" | "after" | null = null;
  #marker = "";
  broken = 0;

  private constructor(connectionString: string) {
    const { hostname, port } = new URL(connectionString);
    this.#to = { host: hostname, port: Number(port || 5432) };
  }

  static async open(connectionString: string): Promise<BrokenLine> {
    const line = new BrokenLine(connectionString);
    line.#server.listen(0, "127.0.0.1");
    await once(line.#server, "listening");
    return line;
  }

  /** The address of the same database by this line. */
  urlOf(connectionString: string): string {
    const url = new URL(connectionString);
    url.hostname = "127.0.0.1";
    url.port = String((this.#server.address() as { port: number }).port);
    return url.href;
  }

  /** The next message that holds `marker`. */
  breakAt(moment: "before" | "after", marker: string): void {
    this.#breaks = moment;
    this.#marker = marker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(near: Socket, far: Socket): void {
    let breaksAtAnswer = false;
    const end = () => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket
        .on("error", () => {})
        .on("close", () => {
          this.#sockets.delete(socket);
          end();
        });
    }
    near.on("data", (bytes) => {
      const moment = bytes.includes(this.#marker) ? this.#breaks : null;
      if (moment !== null) {
        this.#breaks = null;
        this.broken += 1;
      }
      if (moment === "before") {
        // All but the end: the server has begun to read the message.
        far.write(bytes.subarray(0, bytes.length - 1), end);
        return;
      }
      breaksAtAnswer ||= moment === "after";
      far.write(bytes);
    });
    far.on("data", (bytes) => {
      if (breaksAtAnswer) near.resetAndDestroy();
      else near.write(bytes);
    });
  }
}
