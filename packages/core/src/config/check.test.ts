import { describe, expect, test } from "vitest";
import { MedleyError } from "../errors.ts";
import { checkConfig } from "./check.ts";
import { parseHostPattern } from "./host-pattern.ts";

const good = {
  fields: { plot: "text", year: "number", genres: "categories", face: "vector(8)" },
  spaces: {
    plot: { encoder: "text", field: "plot" },
    year: { encoder: "number", field: "year", range: [0, 1], weight: 2 },
  },
};

function messageOf(films: unknown): string {
  try {
    checkConfig({ collections: { films } });
  } catch (error) {
    expect(error).toBeInstanceOf(MedleyError);
    expect((error as MedleyError).code).toBe("config_invalid");
    return (error as MedleyError).message;
  }
  return "accepted";
}

test("a good configuration becomes frozen collections with every weight", () => {
  const [films] = checkConfig({ collections: { films: good } });
  expect(films).toMatchObject({
    name: "films",
    idKey: "id",
    versionKey: null,
    weights: { plot: 1, year: 2 },
  });
  expect(films?.spaces.map((s) => [s.name, s.fields])).toEqual([
    ["plot", ["plot"]],
    ["year", ["year"]],
  ]);
  expect(Object.isFrozen(films)).toBe(true);
});

test.for([
  [
    "a field that does not exist",
    { spaces: { plot: { encoder: "text", field: "plott" } } },
    'collection films, space "plot": field "plott" does not exist; did you mean "plot"?',
  ],
  [
    "an encoder for another type",
    { spaces: { p: { encoder: "recency", field: "year", horizonDays: 9 } } },
    'collection films, space "p": encoder "recency" reads timestamp, but field "year" is number; use encoder "number"',
  ],
  [
    "an unknown encoder",
    { spaces: { p: { encoder: "txt", field: "plot" } } },
    'collection films, space p, encoder: there is no encoder "txt"; did you mean "text"?',
  ],
  [
    "an unknown field type",
    { fields: { plot: "string" }, spaces: {} },
    'field "plot": there is no type "string"',
  ],
  [
    "a reserved field name",
    { fields: { ...good.fields, embedding: "number" } },
    'field "embedding": the name is a column of Medley\'s own',
  ],
  [
    "a hostile name",
    { fields: { ...good.fields, 'x"; drop table y; --': "number" } },
    "a name is 1-40 of a-z",
  ],
  [
    "an empty range",
    { spaces: { y: { encoder: "number", field: "year", range: [5, 5] } } },
    "range [5, 5] is empty",
  ],
  [
    "a log range at 0",
    { spaces: { y: { encoder: "number", field: "year", range: [0, 5], scale: "log" } } },
    "a log scale needs a range above 0",
  ],
  [
    "a category twice",
    { spaces: { g: { encoder: "category", field: "genres", values: ["a", "a"] } } },
    '"a" is listed twice',
  ],
  [
    "an unknown key",
    { spaces: { y: { encoder: "number", field: "year", range: [0, 1], wieght: 1 } } },
    'collection films, space y: unknown key "wieght"',
  ],
  [
    "a reduction of what is tuned",
    {
      fields: { ...good.fields, tone: "category" },
      spaces: {
        p: { encoder: "text", field: "plot", tuned: { target: "tone" }, reduced: { to: 8, by: "pca" } },
      },
    },
    "it is both tuned and reduced",
  ],
  [
    "a cut of what no text model gives",
    { spaces: { f: { encoder: "vector", field: "face", reduced: { to: 4, by: "cut" } } } },
    'set reduced.by to "pca"',
  ],
  [
    "a reduction of an encoder that is told its dimensions",
    { spaces: { p: { encoder: "words", field: "plot", dimensions: 8, reduced: { to: 4, by: "pca" } } } },
    'unknown key "reduced"',
  ],
  ["no space", { spaces: {} }, 'it has no space; add one under "spaces"'],
  [
    "a vector too long to index",
    { fields: { ...good.fields, face: "vector(4001)" } },
    "at most 4000 can be indexed",
  ],
  [
    "a half-life beyond the horizon",
    {
      fields: { t: "timestamp" },
      spaces: { t: { encoder: "recency", field: "t", horizonDays: 9, halfLifeDays: 10 } },
    },
    "halfLifeDays 10 is above horizonDays 9",
  ],
] as const)("%s is refused with place and mend", ([, change, expected]) => {
  expect(messageOf({ ...good, ...change })).toContain(expected);
});

test("every problem is listed at once", () => {
  const message = messageOf({
    ...good,
    spaces: { a: { encoder: "text", field: "x" }, b: { encoder: "geo", field: "plot" } },
  });
  expect(message).toContain("2 problem(s)");
});

test("a configuration without collections is refused", () => {
  expect(() => checkConfig({ collections: {} })).toThrow("there is none");
  expect(() => checkConfig(undefined)).toThrow("the configuration");
});

describe("where pictures and clips are read from", () => {
  function messageFor(from: { folder?: string; hosts?: string[] }): string {
    const space = { encoder: "image", field: "poster", model: "resnet-50", from };
    return messageOf({ fields: { poster: "image" }, spaces: { poster: space } });
  }

  test.for([
    ["images.example.com", "name", "images.example.com", null],
    ["Images.EXAMPLE.com.", "name", "images.example.com", null],
    ["*.example.com", "subdomains", "example.com", null],
    ["*.example.com:8443", "subdomains", "example.com", 8443],
    ["bücher.example", "name", "xn--bcher-kva.example", null],
    ["localhost:8080", "literal", "localhost", 8080],
    ["localhost", "literal", "localhost", null],
    ["10.0.0.5:9000", "literal", "10.0.0.5", 9000],
    ["[FD00:0::5]:1", "literal", "[fd00::5]", 1],
    ["[::1]", "literal", "[::1]", null],
  ] as const)("%s is taken as %s of %s, port %s", ([text, kind, host, port]) => {
    expect(messageFor({ hosts: [text] })).toBe("accepted");
    expect(parseHostPattern(text)).toEqual({ ok: true, value: { kind, host, port } });
  });

  test.for([
    ["https://images.example.com", "is no host"],
    ["//images.example.com", "is no host"],
    ["images.example.com/shoes", "is no host"],
    ["images.example.com?a", "is no host"],
    ["me@images.example.com", "is no host"],
    ["images.example.com\\@evil.example", "is no host"],
    ["images.example.com:", "is no host"],
    ["images.example.com:http", "is no host"],
    [" images.example.com", "is no host"],
    ["images.example.com\n", "is no host"],
    ["images.example.com, example.org", "is no host"],
    ["%31.example.com", "is no host"],
    ["*", "is no host"],
    ["*:443", "is no host"],
    ["**.example.com", "is no host"],
    ["*example.com", "is no host"],
    ["images.*.com", "is no host"],
    ["*.*.example.com", "is no host"],
    ["::1", "is no host"],
    ["[fe80::1%eth0]", "is no host"],
    ["*.", "is no host"],
    ["*.com", 'name yours, as in "*.example.com"'],
    ["*.com.", "would let a whole top-level domain in"],
    ["*.localhost", "name each address by itself"],
    ["*.10.0.0.5", "name each address by itself"],
    ["*.[::1]", "name each address by itself"],
    ["minio", "name the address itself"],
    ["example..com", "is no valid host name"],
    [".example.com", "is no valid host name"],
    ["[::12345]", "is no valid host name"],
    ["1.2.3.4.5", "is no valid host name"],
    ["2130706433", "is another spelling of 127.0.0.1"],
    ["0x7f.1", "is another spelling of 127.0.0.1"],
    ["0177.0.0.1", "is another spelling of 127.0.0.1"],
    ["images.example.com:0", "ports are 1 to 65535"],
    ["images.example.com:65536", "ports are 1 to 65535"],
  ])("host %j is refused: %s", ([text, expected]) => {
    const message = messageFor({ hosts: ["images.example.com", text as string] });
    expect(message).toContain("1 problem(s)");
    expect(message).toContain(`collection films, space "poster": from.hosts: ${JSON.stringify(text)} `);
    expect(message).toContain(expected);
  });

  test.for([
    ["shoes", "accepted"],
    ["../shoes", "accepted"],
    ["s3://shoes", "is an address"],
    ["file:shoes", "is an address"],
    ["shoes\u0000", "contains U+0000"],
  ])("folder %j: %s", ([folder, expected]) => {
    expect(messageFor({ folder: folder as string })).toContain(expected);
  });
});

const remote = {
  encoder: "remote",
  field: "plot",
  url: "https://api.example.com/v1",
  model: "m",
  dimensions: 8,
};
const checkedRemote = (change: object) => messageOf({ ...good, spaces: { r: { ...remote, ...change } } });

test.for<[string, object, string]>([
  ["a password in it", { url: "https://me:secret@api.example.com/v1" }, "url holds a user name or password"],
  ["a query", { url: "https://api.example.com/v1?version=2" }, 'url has a part after "?" or "#"'],
  ["an empty query", { url: "https://api.example.com/v1?" }, 'url has a part after "?" or "#"'],
  ["a fragment", { url: "https://api.example.com/v1#a" }, 'url has a part after "?" or "#"'],
  ["the suffix", { url: "https://api.example.com/v1/embeddings" }, "url ends in /embeddings"],
  ["the suffix and a slash", { url: "https://api.example.com/v1/embeddings/" }, "url ends in /embeddings"],
  ["another scheme", { url: "ftp://api.example.com/v1" }, "collection films, space r, url"],
  ["a key in plain http", { url: "http://api.example.com/v1", keyVariable: "K" }, "in plain http; use https"],
  ["a key to a public address", { url: "http://8.8.8.8/v1", keyVariable: "K" }, "a key would go to 8.8.8.8"],
  ["a key to a public IPv6", { url: "http://[2001:db8::1]/v1", keyVariable: "K" }, "a key would go to"],
  [
    "a private address as a name",
    { url: "http://10.0.0.1.example.com", keyVariable: "K" },
    "a key would go to",
  ],
  ["the file's variable", { keyVariable: "K_FILE" }, "keyVariable K_FILE ends in _FILE"],
])("a remote address with %s is refused with the mend", ([, change, expected]) => {
  const message = checkedRemote(change);
  expect(message).toContain(expected);
  expect(message).not.toContain("secret");
});

test.for<[string, object]>([
  ["https with a key", { keyVariable: "OPENAI_API_KEY" }],
  ["https with a slash at its end", { url: "https://api.example.com/v1/" }],
  ["plain http without a key", { url: "http://api.example.com/v1" }],
  ...["localhost:11434", "127.0.0.9", "[::1]:80", "10.1.2.3", "172.31.0.1", "192.168.0.1", "169.254.1.1"]
    .concat(["[fd00::1]", "[fe80::1]", "tei:8080", "gpu.internal", "gpu.local", "a.localhost", "gpu.local."])
    .map((host): [string, object] => [
      `a key in plain http to ${host}`,
      { url: `http://${host}/v1`, keyVariable: "K" },
    ]),
])("a remote address is taken: %s", ([, change]) => {
  expect(checkedRemote(change)).toBe("accepted");
});
