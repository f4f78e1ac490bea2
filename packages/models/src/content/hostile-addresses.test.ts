/** A web server on all of loopback stands for whatever is inside: nothing that a record says may connect to it. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ContentReader, type ContentReaderOptions } from "./content-reader.ts";
import { serve, type WebServer } from "./web-server.fixture.ts";

let canary: WebServer;
/** Itself allowed by its address; `/to/URL` redirects there, `/file` is a file. */
let allowed: WebServer;

beforeAll(async () => {
  canary = await serve((_request, response) => response.end("secret"));
  allowed = await serve((request, response) => {
    const to = /^\/to\/(.*)$/.exec(request.url ?? "")?.[1];
    if (to === undefined) response.end("file");
    // By hand, since Node refuses to write what a hostile host would.
    else request.socket.end(`HTTP/1.1 302 Found\r\nLocation: ${decodeURIComponent(to)}\r\n\r\n`);
  });
});
afterAll(async () => {
  await canary[Symbol.asyncDispose]();
  await allowed[Symbol.asyncDispose]();
});

/** What names resolve to; all others to loopback. */
const dns: Readonly<Record<string, readonly string[]>> = {
  "private.example.org": ["10.0.0.1"],
  "mapped.example.org": ["::ffff:127.0.0.1"],
  "hexmapped.example.org": ["::ffff:7f00:1"],
  "compatible.example.org": ["::127.0.0.1"],
  "nat64.example.org": ["64:ff9b::127.0.0.1"],
  "localnat64.example.org": ["64:ff9b:1::7f00:1"],
  "sixtofour.example.org": ["2002:7f00:1::"],
  "teredo.example.org": ["2001:0:7f00:1::"],
  "six.example.org": ["::1"],
  "any.example.org": ["0.0.0.0"],
  "anysix.example.org": ["::"],
  "zone.example.org": ["fe80::1%lo"],
  "mixed.example.org": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "127.0.0.1"],
  "mixedsix.example.org": ["93.184.215.14", "::1"],
  "metadata.example.org": ["169.254.169.254"],
  "odd.example.org": ["127.1"],
  "number.example.org": ["2130706433"],
  "name.example.org": ["localhost"],
  "none.example.org": [],
};

function readerWith(options: Partial<ContentReaderOptions> = {}): ContentReader {
  return new ContentReader({
    folder: null,
    hosts: [
      "images.example.com",
      "*.example.org",
      `images.example.com:${canary.port}`,
      `*.example.org:${canary.port}`,
    ],
    resolve: async (host) => dns[host] ?? ["127.0.0.1"],
    attemptsMax: 2,
    backoffMs: 1,
    timeoutMs: 500,
    ...options,
  });
}

const unlisted = "is not on the list of allowed hosts";
const toPrivate = "names may only lead to public ones";
const noAddress = "the address is no valid one";
const scheme = "are not read";

/** P: the canary's port. Each must fail for the reason given: another would mean that the check it aims at was not reached. */
const hostile: readonly (readonly [address: string, reason: string])[] = [
  ["http://127.0.0.1:P/", unlisted],
  ["http://127.1:P/", unlisted],
  ["http://127.0.1:P/", unlisted],
  ["http://2130706433:P/", unlisted],
  ["http://017700000001:P/", unlisted],
  ["http://0x7f000001:P/", unlisted],
  ["http://0177.0.0.01:P/", unlisted],
  ["http://0x7f.0.0.0x1:P/", unlisted],
  ["http://0177.0x0.1:P/", unlisted],
  ["http://127.0.0.1.:P/", unlisted],
  ["http://%31%32%37.0.0.1:P/", unlisted],
  ["http://127。0。0。1:P/", unlisted],
  ["http://１２７.0.0.1:P/", unlisted],
  ["http://①②⑦.⓪.⓪.①:P/", unlisted],
  ["http://127.8.9.10:P/", unlisted],
  ["http://0:P/", unlisted],
  ["http://0.0.0.0:P/", unlisted],
  ["http://localhost:P/", unlisted],
  ["http://LOCALHOST.:P/", unlisted],
  ["http://foo.localhost:P/", unlisted],
  ["http://[::1]:P/", unlisted],
  ["http://[0:0:0:0:0:0:0:1]:P/", unlisted],
  ["http://[0000:0000::0001]:P/", unlisted],
  ["http://[::]:P/", unlisted],
  ["http://[::ffff:127.0.0.1]:P/", unlisted],
  ["http://[::ffff:7f00:1]:P/", unlisted],
  ["http://[::FFFF:7F00:0001]:P/", unlisted],
  ["http://[0:0:0:0:0:ffff:127.0.0.1]:P/", unlisted],
  ["http://[::127.0.0.1]:P/", unlisted],
  ["http://[64:ff9b::127.0.0.1]:P/", unlisted],
  ["http://[2002:7f00:1::]:P/", unlisted],
  ["http://[fe80::1%25lo]:P/", noAddress],
  ["http://[::1%lo]:P/", noAddress],
  ["http://1.2.3.4.5:P/", noAddress],
  ["http://127.0.0.256:P/", noAddress],
  ["http://0x7f.0.0.0.1:P/", noAddress],
  ["http://169.254.169.254/latest/meta-data/", unlisted],
  ["http://[fd00:ec2::254]/latest/meta-data/", unlisted],
  ["http://metadata.google.internal/computeMetadata/v1/", unlisted],
  ["http://169.254.170.2/v2/credentials", unlisted],
  ["http://images.example.com@127.0.0.1:P/", "has a user or password"],
  ["http://images.example.com:80@127.0.0.1:P/", "has a user or password"],
  ["http://me:pass@images.example.com:P/", "has a user or password"],
  ["http://images.example.com%40127.0.0.1:P/", noAddress],
  ["http://images.example.com\\@127.0.0.1:P/", toPrivate],
  ["http://127.0.0.1:P\\@images.example.com/", unlisted],
  ["http:\\\\127.0.0.1:P\\", unlisted],
  ["http:/127.0.0.1:P/", unlisted],
  ["http:127.0.0.1:P/", unlisted],
  ["http:///127.0.0.1:P/", unlisted],
  ["http://127.0.0.1:P#@images.example.com/", unlisted],
  ["http://127.0.0.1:P?@images.example.com/", unlisted],
  ["http://127.0.0.1:P#.example.org/", unlisted],
  ["ht\ntp://127.0.0.1:P/", scheme],
  ["http://127.0.\t0.1:P/", unlisted],
  ["http://images.example.com:P/a\r\nHost: evil\r\n\r\nGET /b", toPrivate],
  ["http://images.example.com\r\n.evil.example:P/", unlisted],
  ["http://images.example.com%0d%0aevil:P/", noAddress],
  ["http://images.example.com%00.evil:P/", noAddress],
  ["http://images.example.com/?x=http://127.0.0.1:P/", toPrivate],
  ["http://images.example.com.:P/", toPrivate],
  ["http://images.example.com..:P/", unlisted],
  ["http://images.example.com.evil.example:P/", unlisted],
  ["http://evilimages.example.com:P/", unlisted],
  ["http://a.images.example.com:P/", unlisted],
  ["http://example.org:P/", unlisted],
  ["http://.example.org:P/", unlisted],
  ["http://evilexample.org:P/", unlisted],
  ["http://a.example.org.evil.example:P/", unlisted],
  ["http://imаges.example.com:P/", unlisted], // Cyrillic а.
  ["http://images.exаmple.com:P/", unlisted],
  ["http://ⅰmages.example.com:P/", toPrivate], // Roman numeral one is mapped to i: the same host.
  ["http://xn--images-.example.com:P/", unlisted],
  ["http://images.example.com:1/", unlisted],
  ["http://images.example.com:22/", unlisted],
  ["http://images.example.com:6379/", unlisted],
  ["http://images.example.com:443/", unlisted],
  ["https://images.example.com:80/", unlisted],
  ["http://images.example.com:0/", unlisted],
  ["http://images.example.com:65536/", noAddress],
  ["https://127.0.0.1:P/", unlisted],
  ["file:///etc/passwd", scheme],
  ["file://images.example.com/etc/passwd", scheme],
  ["ftp://images.example.com:P/", scheme],
  ["gopher://images.example.com:P/_GET%20/", scheme],
  ["dict://images.example.com:P/", scheme],
  ["ws://images.example.com:P/", scheme],
  ["data:text/plain,secret", scheme],
  ["data:image/png;base64;x,AAAA", scheme],
  ["blob:http://127.0.0.1:P/1", scheme],
  ["javascript:fetch('http://127.0.0.1:P/')", scheme],
  ["view-source:http://images.example.com:P/", scheme],
  ["unix:/var/run/docker.sock", scheme],
  ["http+unix://%2Fvar%2Frun%2Fdocker.sock/", scheme],
  ["//127.0.0.1:P/", "paths are not read"],
  ...Object.keys(dns)
    .filter((host) => host !== "none.example.org")
    .map((host) => [`http://${host}:P/`, toPrivate] as const),
  ["https://mixed.example.org:P/", toPrivate],
  ["http://none.example.org:P/", "has no address"],
];

describe("nothing inside is connected to", () => {
  test("the table is as long as it claims", () => expect(hostile.length).toBeGreaterThan(110));

  test.for(hostile)("%j: %s", async ([address, reason]) => {
    const before = canary.connections;
    await using reader = readerWith();
    const result = await reader.read(address.replaceAll("P", String(canary.port)));
    expect(result).toMatchObject({ ok: false, failure: { code: "encoder_failed" } });
    if (!result.ok) expect(result.failure.message).toContain(reason);
    expect(canary.connections).toBe(before);
  });

  test.for(hostile)("with no host allowed: %j", async ([address]) => {
    const before = canary.connections;
    await using reader = readerWith({ hosts: [] });
    const result = await reader.read(address.replaceAll("P", String(canary.port)));
    expect(result).toMatchObject({ ok: false, failure: { code: "encoder_failed" } });
    expect(canary.connections).toBe(before);
  });

  test.for(hostile)("by a redirect of an allowed host: %j", async ([address]) => {
    const to = address.replaceAll("P", String(canary.port));
    const before = canary.connections;
    await using reader = readerWith({
      hosts: [
        `127.0.0.1:${allowed.port}`,
        `images.example.com:${canary.port}`,
        `*.example.org:${canary.port}`,
      ],
    });
    const result = await reader.read(`http://127.0.0.1:${allowed.port}/to/${encodeURIComponent(to)}`);
    // With one slash it is a path on the host that redirects, which is allowed (WHATWG URL).
    expect(result.ok).toBe(/^http:\/127/.test(address));
    if (!result.ok) expect(result.failure.code).toBe("encoder_failed");
    expect(canary.connections).toBe(before);
  });

  test("the machine's own addresses", async () => {
    const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
    await using reader = readerWith({ resolve: async () => own });
    const result = await reader.read(`http://images.example.com:${canary.port}/`);
    expect(result).toMatchObject({ ok: false });
    expect(canary.connections).toBe(0);
  });
});

test("a reader that is allowed in does reach the canary", async () => {
  await using server = await serve((_request, response) => response.end("secret"));
  for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
    await using reader = readerWith({ hosts: [`${host}:${server.port}`] });
    const result = await reader.read(`http://${host}:${server.port}/`);
    expect(result).toMatchObject({ ok: true, value: Uint8Array.from(Buffer.from("secret")) });
  }
  expect(server.connections).toBe(3);
});

test("an address allowed by itself opens no way for names, nor for its other addresses", async () => {
  await using reader = readerWith({ hosts: [`127.0.0.1:${canary.port}`, `*.example.org:${canary.port}`] });
  for (const host of ["a.example.org", "localhost", "127.0.0.2", "[::1]", "[::ffff:127.0.0.1]"]) {
    expect(await reader.read(`http://${host}:${canary.port}/`)).toMatchObject({ ok: false });
  }
  expect(canary.connections).toBe(0);
});

test("localhost is loopback, whatever the resolver says", async () => {
  await using server = await serve((_request, response) => response.end("here"));
  await using reader = readerWith({
    hosts: [`localhost:${server.port}`],
    resolve: () => Promise.reject(new Error("asked")),
  });
  expect(await reader.read(`http://localhost:${server.port}/`)).toMatchObject({ ok: true });
});

test("one resolution per connection, and what it gave is what is connected to", async () => {
  // Public first, then loopback: a second resolution between check and connection would meet the canary.
  let asked = 0;
  const resolve = async () => (asked++ % 2 === 0 ? ["93.184.215.14"] : ["127.0.0.1"]);
  const attempts: string[] = [];
  const watch = (message: unknown) => {
    const { socket } = message as { socket: NodeJS.EventEmitter };
    socket.on("connectionAttempt", (ip: string) => attempts.push(ip));
  };
  subscribe("net.client.socket", watch);
  try {
    await using reader = readerWith({ resolve, attemptsMax: 1, timeoutMs: 100 });
    const url = `http://images.example.com:${canary.port}/`;
    expect(await reader.read(url)).toMatchObject({ ok: false }); // Nothing answers there.
    expect([asked, attempts]).toEqual([1, ["93.184.215.14"]]);
    const second = await reader.read(url);
    expect(second).toMatchObject({ ok: false, failure: { message: expect.stringContaining(toPrivate) } });
    expect([asked, attempts]).toEqual([2, ["93.184.215.14"]]);
  } finally {
    unsubscribe("net.client.socket", watch);
  }
  expect(canary.connections).toBe(0);
});

test.for([
  "169.254.169.254",
  "[fe80::1]",
  "0.0.0.0",
  "[::]",
  "224.0.0.1",
  "[::ffff:127.0.0.1]",
  "[fd00:ec2::254]",
])("%s can't be allowed even by itself", (host) => {
  expect(() => readerWith({ hosts: [host] })).toThrow("from which nothing is ever read");
});

test("what is no host pattern is refused by the reader too", () => {
  expect(() => readerWith({ hosts: ["*"] })).toThrow("is no host");
});

test("line breaks in a path make no second header", async () => {
  await using reader = readerWith({ hosts: [`127.0.0.1:${allowed.port}`] });
  const before = allowed.requests.length;
  for (const path of ["a\r\nX-Evil: 1", "a%0d%0aX-Evil:%201", "a\u0000b", "ä\u2028"]) {
    expect(await reader.read(`http://127.0.0.1:${allowed.port}/${path}`)).toMatchObject({ ok: true });
  }
  const requests = allowed.requests.slice(before);
  expect(requests.length).toBe(4);
  for (const { headers } of requests) {
    expect(Object.keys(headers).sort()).toEqual([
      "accept",
      "accept-encoding",
      "connection",
      "host",
      "user-agent",
    ]);
    expect(headers.host).toBe(`127.0.0.1:${allowed.port}`);
  }
});

test("messages name the host, never what else an address holds", async () => {
  await using reader = readerWith();
  for (const host of ["images.example.com", "evil.example", "me:hunter2@images.example.com"]) {
    const result = await reader.read(`http://${host}:${canary.port}/hunter2?token=hunter2#hunter2`);
    expect(JSON.stringify(result)).toContain(`example`);
    expect(JSON.stringify(result)).not.toContain("hunter2");
  }
});
