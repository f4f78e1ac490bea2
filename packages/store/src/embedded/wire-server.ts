import { strict as assert } from "node:assert";
import { createServer, type Server, type Socket } from "node:net";
import { MedleyError } from "@medley/core";
import {
  AnswerReader,
  fatalError,
  readStartup,
  readTurn,
  syncAndRollback,
  type TurnProgress,
  turnBegin,
  type Wants,
  welcome,
} from "./wire-protocol.ts";

/** The part of PGlite the server needs: one Postgres session that answers messages. */
export interface Engine {
  execProtocolRawStream(
    message: Uint8Array,
    options: { onRawData: (bytes: Uint8Array) => void },
  ): Promise<void>;
}

interface Client {
  readonly connection: number;
  readonly socket: Socket;
  /** Received and not yet run; `arrived` follows it, joined when `neededBytes` are there. */
  received: Buffer;
  arrived: Buffer[];
  arrivedBytes: number;
  neededBytes: number;
  progress: TurnProgress;
  started: boolean;
  /** What it wants run next, in the queue. */
  turn: { bytes: Buffer; wants: Wants } | null;
  /** After a failure the engine skips what comes before the next Sync. */
  skips: boolean;
}

export interface WireServerOptions {
  readonly engine: Engine;
  /** 0: a free one. */
  readonly port: number;
  /** Told to every client at its start. */
  readonly settings: Readonly<Record<string, string>>;
  /** The engine threw, or ended a statement without an answer: nothing it would say can be trusted from here on. */
  readonly onEngineFault: (reason: string) => void;
  /** A client that leaves a transaction open this long while it does nothing is cut off: all others wait for it. */
  readonly idleInTransactionMsMax: number;
  readonly clientsMax: number;
  /** Of what a client sends before it waits for an answer. */
  readonly turnBytesMax: number;
}

/**
 * Serves one Postgres session to many clients over loopback.
 *
 * A client's **turn** is all messages up to the next one it waits for an answer to. Turns run one at a time, first come
 * first served, each in one call of the engine, so unnamed statements of two clients never mix. A client whose turn ends
 * inside a transaction **owns** the session: others wait until it commits, rolls back, leaves (rolled back) or idles for
 * `idleInTransactionMsMax` (cut off, rolled back). States: serving -> faulted or closed, both final.
 *
 * Written because the library's server forwards single messages (clients mix), goes deaf for good when the engine
 * throws, and loops for ever on a message type the engine does not know.
 */
export class WireServer {
  readonly #options: WireServerOptions;
  readonly #server: Server;
  readonly #clients = new Set<Client>();
  readonly #queue: Client[] = [];
  #owner: Client | null = null;
  #ownerTimer: NodeJS.Timeout | undefined;
  #running = false;
  #stopped = false;
  #connections = 0;

  private constructor(options: WireServerOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = options.clientsMax;
  }

  /** Throws `MedleyError` `port_taken`. */
  static async listen(options: WireServerOptions): Promise<WireServer> {
    const server = new WireServer(options);
    const listening = Promise.withResolvers<void>();
    server.#server.once("error", listening.reject).once("listening", listening.resolve);
    server.#server.listen(options.port, "127.0.0.1");
    try {
      await listening.promise;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EADDRINUSE" && code !== "EACCES") throw error;
      throw new MedleyError("port_taken", `port ${options.port} for the embedded Postgres is not free`, {
        mend: "stop what listens there, or configure another port (0 takes a free one)",
        cause: error,
      });
    }
    return server;
  }

  get port(): number {
    const address = this.#server.address();
    assert(address !== null && typeof address === "object");
    return address.port;
  }

  /** Ends all connections; a statement in hand is answered before. */
  async close(): Promise<void> {
    this.#stop();
    while (this.#running) await new Promise((resolve) => setImmediate(resolve));
    for (const client of this.#clients) client.socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #stop(): void {
    this.#stopped = true;
    clearTimeout(this.#ownerTimer);
  }

  #accept(socket: Socket): void {
    this.#connections = (this.#connections + 1) % 2 ** 31;
    const client: Client = {
      connection: this.#connections,
      socket,
      received: Buffer.alloc(0),
      arrived: [],
      arrivedBytes: 0,
      neededBytes: 0,
      progress: turnBegin,
      started: false,
      turn: null,
      skips: false,
    };
    this.#clients.add(client);
    // A reset connection is an ordinary end; `close` follows.
    socket.on("error", () => {});
    socket.on("close", () => this.#leave(client));
    socket.on("data", (bytes) => {
      client.arrived.push(bytes);
      client.arrivedBytes += bytes.length;
      const waitingBytes = client.received.length + client.arrivedBytes;
      if (waitingBytes > this.#options.turnBytesMax) {
        this.#refuse(
          client,
          "54000",
          `the embedded engine takes at most ${this.#options.turnBytesMax} bytes at once`,
        );
      } else if (waitingBytes >= client.neededBytes) {
        client.received = Buffer.concat([client.received, ...client.arrived]);
        client.arrived = [];
        client.arrivedBytes = 0;
        this.#read(client);
      }
    });
  }

  #refuse(client: Client, sqlState: string, text: string): void {
    client.socket.removeAllListeners("data");
    client.socket.write(fatalError(sqlState, text));
    client.socket.destroySoon();
  }

  #read(client: Client): void {
    if (!client.started) this.#start(client);
    if (!client.started || client.turn !== null || this.#stopped) return;
    const turn = readTurn(client.received, client.progress);
    switch (turn.kind) {
      case "incomplete":
        client.progress = turn.progress;
        client.neededBytes = turn.needed;
        return;
      case "end":
        client.socket.end();
        return;
      case "invalid":
        this.#refuse(client, "08P01", turn.reason);
        return;
      case "turn":
        client.turn = { bytes: client.received.subarray(0, turn.byteCount), wants: turn.wants };
        client.received = client.received.subarray(turn.byteCount);
        client.progress = turnBegin;
        client.neededBytes = 0;
        // What a client sends before its answer waits in its own socket.
        client.socket.pause();
        this.#queue.push(client);
        void this.#run();
        return;
      default:
        throw new Error(`unreachable: ${JSON.stringify(turn satisfies never)}`);
    }
  }

  #start(client: Client): void {
    const startup = readStartup(client.received);
    switch (startup.kind) {
      case "incomplete":
        return;
      case "encryption":
        client.received = client.received.subarray(startup.byteCount);
        client.socket.write("N");
        this.#start(client);
        return;
      case "start": {
        const { connection } = client;
        const { minorVersion } = startup;
        client.received = client.received.subarray(startup.byteCount);
        client.started = true;
        client.socket.write(welcome({ minorVersion, connection, settings: this.#options.settings }));
        return;
      }
      case "cancel":
      case "invalid":
        client.socket.destroy();
        return;
      default:
        throw new Error(`unreachable: ${JSON.stringify(startup satisfies never)}`);
    }
  }

  /** The connection is closed: what it waited for is forgotten, what it had open is rolled back in a last turn. */
  #leave(client: Client): void {
    this.#clients.delete(client);
    const place = this.#queue.indexOf(client);
    if (place !== -1) {
      this.#queue.splice(place, 1);
      client.turn = null;
    }
    // With a turn in the engine's hands: looked at again when it ends.
    if (this.#owner !== client || client.turn !== null || this.#stopped) return;
    client.turn = { bytes: syncAndRollback, wants: { ready: true, steps: "C" } };
    this.#queue.push(client);
    void this.#run();
  }

  /** The next turn; while a transaction is open only its owner's. */
  #next(): Client | undefined {
    if (this.#owner === null) return this.#queue.shift();
    const place = this.#queue.indexOf(this.#owner);
    return place === -1 ? undefined : this.#queue.splice(place, 1)[0];
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let client = this.#next(); client !== undefined && !this.#stopped; client = this.#next()) {
      clearTimeout(this.#ownerTimer);
      await this.#execute(client);
      client.turn = null;
      this.#readOn(client);
      if (this.#owner !== null && this.#owner.turn === null) this.#limitOwner(this.#owner);
      // Lets sockets read and write between two statements.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#running = false;
  }

  #readOn(client: Client): void {
    if (this.#stopped) return;
    if (client.socket.destroyed) {
      this.#leave(client);
    } else if (client.socket.writableNeedDrain) {
      client.socket.once("drain", () => this.#readOn(client));
    } else {
      client.socket.resume();
      this.#read(client);
    }
  }

  async #execute(client: Client): Promise<void> {
    assert(client.turn !== null);
    const { bytes, wants } = client.turn;
    const answer = new AnswerReader();
    const pieces: Buffer[] = [];
    try {
      await this.#options.engine.execProtocolRawStream(bytes, {
        onRawData: (data) => {
          // A view of the engine's memory: copied before the engine goes on.
          const copy = Buffer.from(data);
          answer.read(copy);
          pieces.push(copy);
        },
      });
    } catch (error) {
      return this.#fault(client, error instanceof Error ? error.message : String(error));
    }
    // The engine swallows traps (a stack overflow, for one) and goes on as if it had answered. So nothing is sent
    // before the whole answer was seen: a driver would take the statement for done.
    const whole = client.skips || answer.failed || answer.steps.startsWith(wants.steps);
    if (!whole || (wants.ready && answer.status === null)) {
      return this.#fault(client, "the engine ended a statement without an answer");
    }
    if (client.socket.writable) client.socket.write(Buffer.concat(pieces));
    client.skips = !wants.ready && (client.skips || answer.failed);
    this.#owner = answer.status === "idle" ? null : client;
  }

  #fault(client: Client, reason: string): void {
    this.#stop();
    for (const other of this.#clients) if (other !== client) other.socket.destroy();
    this.#refuse(client, "57P02", "the embedded Postgres engine failed in this statement and restarts");
    this.#server.close();
    this.#options.onEngineFault(reason);
  }

  #limitOwner(owner: Client): void {
    this.#ownerTimer = setTimeout(() => {
      const text = "a transaction was left open and idle, and the embedded engine has one session for all";
      this.#refuse(owner, "25P03", text);
    }, this.#options.idleInTransactionMsMax);
  }
}
