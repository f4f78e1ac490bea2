import { once } from "node:events";
import http from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface WebServer extends AsyncDisposable {
  readonly port: number;
  /** Connections so far: even one without a request counts. */
  readonly connections: number;
  readonly requests: readonly http.IncomingMessage[];
  /** Sockets that are open now. */
  readonly open: number;
}

/** On a free port of every loopback address (127.0.0.0/8 and ::1). */
export async function serve(handler: http.RequestListener): Promise<WebServer> {
  const requests: http.IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    requests.push(request);
    response.on("error", () => {});
    handler(request, response);
  });
  server.on("connection", (socket) => {
    connections++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    requests,
    get open() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
