import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type http from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test, vi } from "vitest";
import { at, failed, readerOf } from "./content-reader.fixture.ts";
import { ContentReader } from "./content-reader.ts";
import { serve } from "./web-server.fixture.ts";

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

  test("one that is announced as too large is not waited for", async () => {
    await using server = await serve((_, response) => {
      response.writeHead(200, { "content-length": 1_001 }).flushHeaders();
    });
    await using reader = readerOf(server.port, { timeoutMs: 5_000, attemptsMax: 1 });
    expect(await reader.read(at(server.port))).toEqual(failed("has more than 1000 bytes"));
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

  test("a host that takes no connection ends it after connectMsMax, one that did has timeoutMs", async () => {
    const resolve = () => new Promise<never>(() => {});
    await using reader = readerOf(1, { hosts: ["a.example.com"], resolve, connectMsMax: 50, attemptsMax: 1 });
    expect(await reader.read("https://a.example.com/")).toEqual(failed("took no connection within 50 ms"));
    await using silent = createServer((socket) => void socket.on("error", () => {}).resume()).listen(0);
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    await using other = readerOf(port, { connectMsMax: 50, timeoutMs: 150, attemptsMax: 1 });
    expect(await other.read(`https://localhost:${port}/`)).toEqual(failed("took no connection within 50 ms"));
    expect(await other.read(`http://localhost:${port}/`)).toEqual(failed("took longer than 150 ms"));
  });

  test("a host that failed every attempt gets one a read, until one succeeds", async () => {
    let status = 503;
    await using server = await serve((_, response) => response.writeHead(status).end("x"));
    await using reader = readerOf(server.port);
    const asked = async () => {
      const before = server.requests.length;
      await reader.read(at(server.port));
      return server.requests.length - before;
    };
    expect([await asked(), await asked(), await asked()]).toEqual([3, 1, 1]);
    status = 404; // It answers, but that is no success of a fetch.
    expect(await asked()).toBe(1);
    status = 200;
    expect(await asked()).toBe(1);
    status = 503;
    expect([await asked(), await asked()]).toEqual([3, 1]);
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
    let most = 0;
    await using server = await serve(async (_, response) => {
      most = Math.max(most, ++inFlight);
      await sleep(5);
      inFlight--;
      response.end("x");
    });
    await using reader = readerOf(server.port, { fetchesInFlightMax: 4 });
    const read = (host: string) =>
      Promise.all(Array.from({ length: 20 }, () => reader.read(`http://${host}:${server.port}/`)));
    expect((await read("127.0.0.1")).every(({ ok }) => ok)).toBe(true);
    expect(most).toBe(2);
    await Promise.all([read("127.0.0.1"), read("127.0.0.2"), read("localhost")]);
    expect(most).toBe(4);
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

  test("closing waits for what can't be ended", async () => {
    const folder = mkdtempSync(join(tmpdir(), "medley-content-"));
    writeFileSync(join(folder, "1.jpg"), "a shoe");
    const reader = new ContentReader({ folder, hosts: [] });
    let ended = false;
    const read = reader.read("1.jpg").then(() => {
      ended = true;
    });
    await reader[Symbol.asyncDispose]();
    await setImmediate();
    expect(ended).toBe(true);
    await read;
    rmSync(folder, { recursive: true });
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
