import { strict as assert } from "node:assert";
import { lookup as systemLookup } from "node:dns/promises";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import { isIPv6, type LookupFunction } from "node:net";
import type { Duplex } from "node:stream";
import { addressProblem } from "./address.ts";
import { type AllowedHosts, connectHost, hostOf } from "./allowed-hosts.ts";
import { Refused, sendBase64, Unreachable } from "./faults.ts";

/** All IPv4 and IPv6 addresses of a host name, best first. Rejects with `code` as `node:dns` does. */
export type ResolveHost = (host: string) => Promise<readonly string[]>;

/** As the system does it: its hosts file counts. */
export const resolveBySystem: ResolveHost = async (host) =>
  (await systemLookup(host, { all: true })).map(({ address }) => address);

/** What `localhost` means (RFC 6761 6.3), whatever a resolver says. */
const localhostAddresses = ["127.0.0.1", "::1"];
const headerBytesMax = 16_384;
const idleMs = 5_000;
const idleSocketsMax = 16;

/** NXDOMAIN and "no such record": the name is wrong. All else of a resolver may pass. */
const nameIsWrong: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);
const certificateFault = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/;

/**
 * HTTP connections to allowed hosts at checked addresses alone: an address is checked inside the connection's own look-up, so there is no
 * second resolution that could answer otherwise (DNS rebinding). Sockets live on between requests, at most
 * `idleSocketsMax` per scheme and for `idleMs`: one that is reused still leads to the address that was checked.
 * No cookies, no credentials, no proxy of the environment.
 */
export class Connections implements Disposable {
  readonly #hosts: AllowedHosts;
  readonly #resolve: ResolveHost;
  readonly #connectMsMax: number;
  readonly #agents: { readonly "http:": http.Agent; readonly "https:": https.Agent };

  /** `connectMsMax`: for the name's resolution, the connection and its TLS. */
  constructor(options: { hosts: AllowedHosts; resolve: ResolveHost; connectMsMax: number }) {
    this.#hosts = options.hosts;
    this.#resolve = options.resolve;
    this.#connectMsMax = options.connectMsMax;
    const agentOptions = { keepAlive: true, timeout: idleMs };
    this.#agents = {
      "http:": keepingFew(new http.Agent(agentOptions)),
      "https:": keepingFew(new https.Agent(agentOptions)),
    };
  }

  /**
   * The head of the answer to one GET, redirects not followed; the caller reads or destroys the body. Throws `Refused`
   * where `url` is not allowed or can't be right, `Unreachable`, or `signal`'s reason where that ends it.
   */
  async get(url: URL, signal: AbortSignal): Promise<http.IncomingMessage> {
    signal.throwIfAborted();
    this.#hosts.check(url);
    const protocol = url.protocol as "http:" | "https:";
    assert(Object.hasOwn(this.#agents, protocol));
    const request = (protocol === "https:" ? https : http).request({
      agent: this.#agents[protocol],
      protocol,
      hostname: connectHost(url).replace(/^\[|\]$/g, ""),
      port: url.port,
      path: url.pathname + url.search,
      // Decoding what a host compressed would need a bound of its own, and pictures and clips are compressed already.
      headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "medley" },
      lookup: this.#lookup,
      signal,
      maxHeaderSize: headerBytesMax,
      // Neither NODE_OPTIONS nor NODE_TLS_REJECT_UNAUTHORIZED may loosen these.
      insecureHTTPParser: false,
      rejectUnauthorized: true,
    });
    request.on("error", () => {}); // Told by `once`, but for what comes after it.
    const connecting = this.#boundConnecting(request, url);
    try {
      const answered = once(request, "response", { signal });
      request.end();
      const [response] = (await answered) as [http.IncomingMessage];
      response.on("error", () => {}); // Told to who reads it.
      return response;
    } catch (error) {
      request.destroy();
      throw connectionFault(error, url, signal);
    } finally {
      clearTimeout(connecting);
    }
  }

  /** A host that drops packets would use up the whole time of a fetch; one that is there connects soon. */
  #boundConnecting(request: http.ClientRequest, url: URL): NodeJS.Timeout {
    const late = new Unreachable(`${hostOf(url)} took no connection within ${this.#connectMsMax} ms`);
    const timer = setTimeout(() => request.destroy(late), this.#connectMsMax);
    request.on("socket", (socket) => {
      if (!socket.connecting) return clearTimeout(timer); // One that is used again.
      socket.once(url.protocol === "https:" ? "secureConnect" : "connect", () => clearTimeout(timer));
    });
    return timer;
  }

  [Symbol.dispose](): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  readonly #lookup: LookupFunction = (host, options, callback) => {
    this.#addressesOf(host).then(
      (addresses) => {
        const found = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
        if (options.all) return callback(null, found);
        const [first] = found as [{ address: string; family: number }];
        callback(null, first.address, first.family);
      },
      (error) => callback(error, []),
    );
  };

  async #addressesOf(host: string): Promise<readonly string[]> {
    // Only an entry that names localhost by itself lets a request come this far.
    if (host === "localhost") return localhostAddresses;
    const addresses = await this.#resolve(host).catch((error) => {
      const code = codeOf(error);
      if (code === undefined) throw error;
      if (!nameIsWrong.has(code))
        throw new Unreachable(`the name ${host} can't be resolved just now (${code})`);
      throw new Refused(`there is no host ${host}`, "correct the host in the record's address");
    });
    if (addresses.length === 0) throw new Refused(`${host} has no address`, "correct the host's DNS entries");
    for (const address of addresses) {
      // One bad address among good ones refuses all: which one would be connected to is luck.
      const problem = addressProblem(address, { isNamedByItself: false });
      if (problem !== undefined) {
        throw new Refused(
          `${host} resolves to ${problem}, and names may only lead to public ones`,
          `where a private server is meant, name its address under "from.hosts" and in the record; or ${sendBase64}`,
        );
      }
    }
    return addresses;
  }
}

/** What went wrong on the wire, in terms of who can mend it. Bugs come back as they are. */
export function connectionFault(error: unknown, url: URL, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof Refused || error instanceof Unreachable) return error;
  const code = codeOf(error);
  if (code === undefined) return error;
  if (certificateFault.test(code)) {
    return new Refused(
      `the certificate of ${hostOf(url)} is not trusted (${code})`,
      "correct the host's certificate, or name its authority in a file by NODE_EXTRA_CA_CERTS",
    );
  }
  // The parser's own codes, but for a connection cut in the middle.
  if (code.startsWith("HPE_") && code !== "HPE_INVALID_EOF_STATE") {
    return new Refused(
      `${hostOf(url)} does not answer in valid HTTP (${code})`,
      "correct the host or the address",
    );
  }
  return new Unreachable(`the connection to ${hostOf(url)} failed (${code})`);
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** Hosts come and go with the records, and an agent by itself keeps idle sockets for each of them. */
function keepingFew<Agent extends http.Agent>(agent: Agent): Agent {
  const keep = agent.keepSocketAlive.bind(agent) as (socket: Duplex) => unknown;
  agent.keepSocketAlive = (socket) => {
    const idle = Object.values(agent.freeSockets).reduce((sum, sockets) => sum + (sockets?.length ?? 0), 0);
    return (idle < idleSocketsMax && keep(socket)) as unknown as undefined; // False: the socket is destroyed.
  };
  return agent;
}
