import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";

/** PGlite in memory, in a thread of its own, served over a socket as the embedded mode does. */
export async function startPglite(): Promise<{ connectionString: string; stop(): Promise<void> }> {
  const thread = new Worker(new URL(import.meta.url));
  const { promise: started, resolve, reject } = Promise.withResolvers<number>();
  thread.once("message", resolve).once("error", reject);
  const port = await started;
  return {
    connectionString: `postgres://postgres@127.0.0.1:${port}/postgres`,
    stop: async () => {
      await thread.terminate();
    },
  };
}

if (!isMainThread && parentPort !== null) {
  const db = await PGlite.create();
  const server = new PGLiteSocketServer({ db: oneTurnAtATime(db), port: 0, maxConnections: 50 });
  await server.start();
  parentPort.postMessage(Number(server.getServerConn().split(":").at(-1)));
}

/**
 * The socket server runs clients' messages one by one, so that one client's Parse can come between another's Parse and Bind,
 * which then binds the wrong statement. It keeps a client's messages together while the database is in a transaction: here it
 * is made to think so from a client's first message to its Sync.
 */
function oneTurnAtATime(db: PGlite): PGlite {
  let inTurn = false;
  return new Proxy(db, {
    get(target, name) {
      if (name === "isInTransaction") return () => inTurn || target.isInTransaction();
      if (name === "execProtocolRawStream") {
        return (message: Uint8Array, options: Parameters<PGlite["execProtocolRawStream"]>[1]) => {
          inTurn = "PBDECH".includes(String.fromCharCode(message[0] ?? 0));
          return target.execProtocolRawStream(message, options);
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
