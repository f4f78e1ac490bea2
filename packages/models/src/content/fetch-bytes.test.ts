import { once } from "node:events";
import type http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { certificate, key } from "./certificate.fixture.ts";
import { at, failed, readerOf } from "./content-reader.fixture.ts";
import { serve } from "./web-server.fixture.ts";

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
