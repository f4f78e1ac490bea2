import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type http from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { certificate, key } from "./certificate.fixture.ts";
import { ContentReader, type ContentReaderOptions } from "./content-reader.ts";
import { serve } from "./web-server.fixture.ts";

const failed = (message: string) => ({
  ok: false,
  failure: { code: "encoder_failed", message: expect.stringContaining(message), mend: expect.any(String) },
});

/** Of whatever listens on 127.0.0.1 at `port`. */
function readerOf(port: number, options: Partial<ContentReaderOptions> = {}): ContentReader {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  return new ContentReader({ folder: null, hosts, bytesMax: 1_000, backoffMs: 1, ...options });
}
const at = (port: number, path = "/") => `http://127.0.0.1:${port}${path}`;

describe("base64", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => 255 - i);
  const reader = new ContentReader({ folder: null, hosts: [], bytesMax: 256 });

  test.for(["base64", "base64url"] as const)(
    "%s gives the bytes, in a buffer of their own",
    async (alphabet) => {
      const result = await reader.read(`data:image/png;base64,${Buffer.from(bytes).toString(alphabet)}`);
      expect(result).toEqual({ ok: true, value: bytes });
      if (result.ok) expect(result.value.buffer.byteLength).toBe(256);
    },
  );

  test("at most bytesMax", async () => {
    const result = await reader.read(`data:;base64,${Buffer.alloc(257).toString("base64")}`);
    expect(result).toEqual(failed("the base64 has more than 256 bytes"));
  });

  test.for(["", "====", "AAAA%AAA", "AA==AAAA"])("%j is refused", async (base64) => {
    expect(await reader.read(`data:;base64,${base64}`)).toEqual(failed("is no valid one"));
  });
});

test("paths are read under the folder, and refused without one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "medley-content-"));
  writeFileSync(join(folder, "1.jpg"), "a shoe");
  await using reader = new ContentReader({ folder, hosts: [] });
  expect(await reader.read("1.jpg")).toEqual({ ok: true, value: Uint8Array.from(Buffer.from("a shoe")) });
  expect(await reader.read("../1.jpg")).toEqual(failed('leads out of "from.folder"'));
  await using without = new ContentReader({ folder: null, hosts: [] });
  expect(await without.read("1.jpg")).toEqual(failed("this space has no folder"));
  rmSync(folder, { recursive: true });
});

describe("an answer", () => {
  test.for([201, 204, 206, 300, 304, 305, 400, 401, 403, 404, 410, 418, 451])(
    "%s is the record's fault: asked once",
    async (status) => {
      await using server = await serve((_, response) => response.writeHead(status, { location: "/x" }).end());
      await using reader = readerOf(server.port);
      expect(await reader.read(at(server.port, "/1.jpg?key=hunter2"))).toEqual(
        failed(`127.0.0.1:${server.port} answered ${status}`),
      );
      expect(server.requests.length).toBe(1);
    },
  );

  test.for([408, 425, 429, 500, 502, 503, 504])(
    "%s may pass: asked again, then a dead letter",
    async (status) => {
      await using server = await serve((_, response) => response.writeHead(status).end());
      await using reader = readerOf(server.port);
      const result = await reader.read(at(server.port));
      expect(result).toEqual(failed(`answered ${status}`));
      expect(result).toMatchObject({ failure: { mend: expect.stringContaining("replay the record later") } });
      expect(server.requests.length).toBe(3);
    },
  );

  test("503, a cut connection, then the file", async () => {
    await using server = await serve((request, response) => {
      if (server.requests.length === 1) response.writeHead(503).end();
      else if (server.requests.length === 2)
        response.writeHead(200, { "content-length": 9 }).write("brok", () => request.socket.destroy());
      else response.end("whole");
    });
    await using reader = readerOf(server.port);
    expect(await reader.read(at(server.port))).toEqual({
      ok: true,
      value: Uint8Array.from(Buffer.from("whole")),
    });
  });

  test("nobody listening may pass", async () => {
    const server = await serve(() => {});
    await server[Symbol.asyncDispose]();
    await using reader = readerOf(server.port);
    expect(await reader.read(at(server.port))).toEqual(failed("failed (ECONNREFUSED)"));
  });

  test.for([
    ["EAI_AGAIN", 3, "can't be resolved just now (EAI_AGAIN)"],
    ["ESERVFAIL", 3, "can't be resolved just now"],
    ["ENOTFOUND", 1, "there is no host images.example.com"],
  ] as const)("a name that fails with %s is resolved %s times", async ([code, times, message]) => {
    const resolve = vi.fn(() => Promise.reject(Object.assign(new Error(code), { code })));
    await using reader = readerOf(1, { hosts: ["images.example.com"], resolve });
    expect(await reader.read("https://images.example.com/1.jpg")).toEqual(failed(message));
    expect(resolve).toHaveBeenCalledTimes(times);
  });

  test("Retry-After is kept to", async () => {
    const times: number[] = [];
    await using server = await serve((_, response) => {
      times.push(Date.now());
      if (times.length === 1) response.writeHead(429, { "retry-after": "1" }).end();
      else response.end("now");
    });
    await using reader = readerOf(server.port);
    expect(await reader.read(at(server.port))).toMatchObject({ ok: true });
    const [first, second] = times as [number, number];
    expect(second - first).toBeGreaterThanOrEqual(990);
  });

  test.for(["11", "999999999999999999999", new Date(Date.now() + 3_600_000).toUTCString()])(
    "a Retry-After of %s is too long: not tried again",
    async (header) => {
      await using server = await serve((_, response) =>
        response.writeHead(503, { "retry-after": header }).end(),
      );
      await using reader = readerOf(server.port);
      expect(await reader.read(at(server.port))).toEqual(failed("answered 503"));
      expect(server.requests.length).toBe(1);
    },
  );

  test.for(["", "soon", "-5", "0", new Date(0).toUTCString()])(
    "a Retry-After of %j asks for nothing",
    async (header) => {
      await using server = await serve((_, response) =>
        response.writeHead(503, { "retry-after": header }).end(),
      );
      await using reader = readerOf(server.port);
      await reader.read(at(server.port));
      expect(server.requests.length).toBe(3);
    },
  );

  test("what is compressed is refused undecoded, and an empty one too", async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    const heads: Record<string, string>[] = [
      { "content-encoding": "gzip" },
      { "content-encoding": "br, gzip" },
      { "transfer-encoding": "gzip, chunked" },
    ];
    await using server = await serve((_, response) =>
      response.writeHead(200, heads[server.requests.length - 1]).end(bomb),
    );
    await using reader = readerOf(server.port, { bytesMax: 1_000_000 });
    for (const _ of heads)
      expect(await reader.read(at(server.port))).toEqual(failed("compresses its answer"));
    expect(server.requests.map(({ headers }) => headers["accept-encoding"])).toEqual(
      heads.map(() => "identity"),
    );
    await using empty = await serve((_, response) => response.end());
    await using other = readerOf(empty.port);
    expect(await other.read(at(empty.port))).toEqual(failed("is empty"));
  });

  test("no valid HTTP, or a head without end, is refused", async () => {
    await using server = await serve((request) => {
      const head =
        server.requests.length === 1 ? "SSH-2.0-x\r\n\r\n" : `HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}`;
      request.socket.end(head);
    });
    await using reader = readerOf(server.port);
    expect(await reader.read(at(server.port))).toEqual(failed("(HPE_INVALID_CONSTANT)"));
    expect(await reader.read(at(server.port))).toEqual(failed("(HPE_HEADER_OVERFLOW)"));
  });
});

describe("bounds", () => {
  test("a body has at most bytesMax, announced or not", async () => {
    await using server = await serve((request, response) => {
      const size = Number(request.url?.slice(1));
      if (request.headers.host?.startsWith("127")) response.setHeader("content-length", size);
      response.end(Buffer.alloc(size, 1));
    });
    await using reader = readerOf(server.port);
    for (const host of ["127.0.0.1", "localhost"]) {
      const result = await reader.read(`http://${host}:${server.port}/1000`);
      expect(result).toEqual({ ok: true, value: new Uint8Array(1_000).fill(1) });
      if (result.ok) expect(result.value.buffer.byteLength).toBe(1_000);
      expect(await reader.read(`http://${host}:${server.port}/1001`)).toEqual(
        failed("has more than 1000 bytes"),
      );
    }
  });

  test("an endless body is left at bytesMax, without more memory than that", async () => {
    let sent = 0;
    const chunk = Buffer.alloc(65_536, 1);
    await using server = await serve((_, response) => {
      const send = () => {
        while (!response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return response.once("drain", send);
        }
      };
      send();
    });
    await using reader = readerOf(server.port, { bytesMax: 4 * 2 ** 20 });
    const before = process.memoryUsage();
    expect(await reader.read(at(server.port))).toEqual(failed("has more than 4194304 bytes"));
    await vi.waitFor(() => expect(server.open).toBe(0));
    const after = process.memoryUsage();
    // What lies in the sockets' buffers comes on top.
    expect(sent).toBeLessThan(32 * 2 ** 20);
    expect(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed).toBeLessThan(
      64 * 2 ** 20,
    );
  });

  test("single bytes cost no more memory than the body", async () => {
    const bytes = 300_000;
    let socket: Socket | undefined;
    await using server = await serve((request) => {
      socket = request.socket;
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
      socket.write("1\r\nx\r\n".repeat(bytes));
    });
    await using reader = readerOf(server.port, { bytesMax: bytes });
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const held = () => {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const before = held();
    const reading = reader.read(at(server.port));
    await vi.waitFor(() => expect(socket?.writableLength).toBe(0), { timeout: 20_000 });
    await sleep(200); // For what is still in the kernel.
    expect(held() - before).toBeLessThan(10_000_000); // Three times that, if it were a list of chunks.
    socket?.end("0\r\n\r\n");
    const result = await reading;
    expect(result.ok && result.value.buffer.byteLength).toBe(bytes);
  });

  test.for([
    ["no answer", () => {}],
    ["a head without end", (response: http.ServerResponse) => drip(response, "x")],
    ["a body in drops", (response: http.ServerResponse) => drip(response.writeHead(200), "x")],
    [
      "interim answers without end",
      (response: http.ServerResponse) => drip(response, "HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
    [
      "a redirect to itself that takes long",
      (response: http.ServerResponse) =>
        setTimeout(() => response.writeHead(302, { location: "/" }).end(), 80),
    ],
  ] as const)("%s ends after timeoutMs", async ([, answer]) => {
    await using server = await serve((_, response) => void answer(response));
    await using reader = readerOf(server.port, { timeoutMs: 200, attemptsMax: 1 });
    expect(await reader.read(at(server.port))).toEqual(failed("took longer than 200 ms"));
    await vi.waitFor(() => expect(server.open).toBe(0));
  });

  test("so does a name that is never resolved", async () => {
    await using reader = readerOf(1, {
      hosts: ["a.example.com"],
      resolve: () => new Promise(() => {}),
      timeoutMs: 50,
      attemptsMax: 1,
    });
    expect(await reader.read("http://a.example.com/")).toEqual(failed("took longer than 50 ms"));
  });

  test("fetches in flight are bounded, in all and for one host", async () => {
    let inFlight = 0;
    const most = { all: 0 };
    await using server = await serve(async (_, response) => {
      most.all = Math.max(most.all, ++inFlight);
      await sleep(5);
      inFlight--;
      response.end("x");
    });
    await using reader = readerOf(server.port, { fetchesInFlightMax: 4 });
    const read = (host: string) =>
      Promise.all(Array.from({ length: 20 }, () => reader.read(`http://${host}:${server.port}/`)));
    expect((await read("127.0.0.1")).every(({ ok }) => ok)).toBe(true);
    expect(most.all).toBe(2);
    await Promise.all([read("127.0.0.1"), read("localhost")]);
    expect(most.all).toBe(4);
  });

  test("a host that hangs does not hold up another", async () => {
    await using hanging = await serve(() => {});
    await using server = await serve((_, response) => response.end("x"));
    await using reader = readerOf(0, {
      hosts: [`127.0.0.1:${hanging.port}`, `127.0.0.1:${server.port}`],
      fetchesInFlightMax: 2,
    });
    const stuck = Array.from({ length: 5 }, () => reader.read(at(hanging.port)).catch(() => "closed"));
    expect(await reader.read(at(server.port))).toMatchObject({ ok: true });
    await reader[Symbol.asyncDispose]();
    expect(await Promise.all(stuck)).toEqual(Array(5).fill("closed"));
  });

  test("one read too many is to be tried again", async () => {
    await using server = await serve(() => {});
    await using reader = readerOf(server.port, { readsMax: 3, fetchesInFlightMax: 1 });
    const open = Array.from({ length: 3 }, () => reader.read(at(server.port)).catch(() => "closed"));
    expect(await reader.read(at(server.port))).toMatchObject({
      ok: false,
      failure: { code: "encoder_unavailable" },
    });
    await reader[Symbol.asyncDispose]();
    await Promise.all(open);
  });
});

function drip(response: http.ServerResponse, text: string): void {
  const timer = setInterval(() => {
    if (response.headersSent) response.write(text);
    else
      response.socket?.write(
        text === "x" && response.socket.bytesWritten === 0 ? "HTTP/1.1 200 OK\r\nx: " : text,
      );
  }, 10);
  response.once("close", () => clearInterval(timer));
}

describe("the end", () => {
  test("a signal ends a read with its reason, in a fetch, a pause and a queue", async () => {
    await using server = await serve((request, response) => {
      if (request.url === "/503") response.writeHead(503, { "retry-after": "9" }).end();
    });
    await using reader = readerOf(server.port, { fetchesInFlightMax: 1 });
    const abort = new AbortController();
    const reads = ["/503", "/hangs", "/waits"].map((path) =>
      reader.read(at(server.port, path), abort.signal),
    );
    await vi.waitFor(() => expect(server.requests.length).toBe(2));
    const reason = new Error("enough");
    abort.abort(reason);
    for (const read of reads) await expect(read).rejects.toBe(reason);
    await expect(reader.read("x", abort.signal)).rejects.toBe(reason);
    expect(server.requests.length).toBe(2);
  });

  test("sockets are used again, and closing ends them", async () => {
    await using server = await serve((_, response) => response.end("x"));
    const reader = readerOf(server.port);
    for (let i = 0; i < 3; i++) expect(await reader.read(at(server.port))).toMatchObject({ ok: true });
    expect([server.connections, server.open]).toEqual([1, 1]);
    await reader[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(server.open).toBe(0));
    await expect(reader.read(at(server.port))).rejects.toThrow("read after close");
  });

  test("few idle sockets are kept, however many hosts there are", async () => {
    await using server = await serve(async (_, response) => {
      await sleep(20);
      response.end("x");
    });
    const hosts = Array.from({ length: 40 }, (_, i) => `127.0.1.${i + 1}:${server.port}`);
    await using reader = readerOf(server.port, { hosts, fetchesInFlightMax: 40 });
    const results = await Promise.all(hosts.map((host) => reader.read(`http://${host}/`)));
    expect(results.every(({ ok }) => ok)).toBe(true);
    await vi.waitFor(() => expect(server.open).toBe(16));
  });

  test("closing ends what is open", async () => {
    await using server = await serve(() => {});
    const reader = readerOf(server.port);
    const open = reader.read(at(server.port));
    await vi.waitFor(() => expect(server.requests.length).toBe(1));
    await Promise.all([
      expect(open).rejects.toMatchObject({ code: "encoder_unavailable" }),
      reader[Symbol.asyncDispose](),
    ]);
    await vi.waitFor(() => expect(server.open).toBe(0));
  });
});

describe("redirects", () => {
  test("three are followed, relative ones too; four are not", async () => {
    await using server = await serve((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end("x");
      else
        response.writeHead([301, 302, 303, 307, 308][left] ?? 302, { location: `${left - 1}` }).end("moved");
    });
    await using reader = readerOf(server.port);
    expect(await reader.read(at(server.port, "/3"))).toMatchObject({ ok: true });
    expect(await reader.read(at(server.port, "/4"))).toEqual(failed("redirects more than 3 times"));
  });

  test.for([undefined, "", "http://", "http://[", "http://a b/"])("to %j", async (location) => {
    await using server = await serve((_, response) =>
      response.writeHead(302, location === undefined ? {} : { location }).end(),
    );
    await using reader = readerOf(server.port);
    expect(await reader.read(at(server.port))).toEqual(
      failed(location === "" ? "more than 3 times" : "to no valid address"),
    );
  });
});

describe("https", () => {
  const system = getCACertificates("default");
  afterEach(() => {
    setDefaultCACertificates(system);
    vi.unstubAllEnvs();
  });

  async function serveTls(handler: http.RequestListener) {
    const server = https.createServer({ key, cert: certificate }, handler).listen(0);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return {
      port,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        server.close();
      },
    };
  }

  test("a certificate that is trusted, of the host", async () => {
    setDefaultCACertificates([certificate]);
    await using server = await serveTls((_, response) => response.end("x"));
    await using reader = readerOf(server.port);
    expect(await reader.read(`https://localhost:${server.port}/`)).toMatchObject({ ok: true });
    expect(await reader.read(`https://127.0.0.1:${server.port}/`)).toEqual(
      failed("(ERR_TLS_CERT_ALTNAME_INVALID)"),
    );
  });

  test("a certificate that is not, whatever the environment says", async () => {
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    await using server = await serveTls((_, response) => response.end("x"));
    await using reader = readerOf(server.port);
    const result = await reader.read(`https://localhost:${server.port}/`);
    expect(result).toEqual(failed(`the certificate of localhost:${server.port} is not trusted`));
  });

  test("no redirect to http", async () => {
    setDefaultCACertificates([certificate]);
    await using plain = await serve((_, response) => response.end("x"));
    await using server = await serveTls((_, response) =>
      response.writeHead(301, { location: at(plain.port) }).end(),
    );
    await using reader = readerOf(plain.port, {
      hosts: [`127.0.0.1:${plain.port}`, `localhost:${server.port}`],
    });
    expect(await reader.read(`https://localhost:${server.port}/`)).toEqual(failed("from https to http"));
    expect(plain.connections).toBe(0);
    expect(await reader.read(at(plain.port))).toMatchObject({ ok: true });
  });
});
