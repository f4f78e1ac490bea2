import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { newToken, parseAccessTokens } from "./access-tokens.ts";
import { explainSettings, readSettings } from "./settings.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const hash = sha256("a long and random one");
const parse = (entry: object) =>
  parseAccessTokens(JSON.stringify([{ name: "shop", scopes: ["ingest"], ...entry }]));

test("a token is known by its hash, whichever way it is given", () => {
  const [byHash] = parse({ sha256: hash, collections: ["films"] });
  expect(byHash).toEqual({ name: "shop", sha256: hash, scopes: ["ingest"], collections: ["films"] });
  const [byToken] = parse({ token: "a-secret" });
  expect(byToken).toEqual({
    name: "shop",
    sha256: sha256("a-secret"),
    scopes: ["ingest"],
    collections: null,
  });
  expect(JSON.stringify(byToken)).not.toContain("a-secret");
});

test("a new token is long, and its hash is its own", () => {
  const [a, b] = [newToken(), newToken()];
  expect(a.token).toMatch(/^medley_[\w-]{43}$/);
  expect(a.sha256).toBe(sha256(a.token));
  expect(a.token).not.toBe(b.token);
});

test.for([
  ["not JSON", "[secret"],
  ["no list", '{"secret":1}'],
  ["no object", '["secret"]'],
  ["no name", '[{"scopes":["ingest"],"token":"secret"}]'],
  ["neither token nor hash", '[{"name":"a","scopes":["ingest"]}]'],
  ["both", `[{"name":"a","scopes":["ingest"],"token":"secret","sha256":"${hash}"}]`],
  ["an empty token", '[{"name":"a","scopes":["ingest"],"token":""}]'],
  ["the hash of nothing", `[{"name":"a","scopes":["ingest"],"sha256":"${sha256("")}"}]`],
  ["no hash", '[{"name":"a","scopes":["ingest"],"sha256":"secret"}]'],
  ["no scope", `[{"name":"a","scopes":[],"sha256":"${hash}"}]`],
  ["an unknown scope", `[{"name":"a","scopes":["secret"],"sha256":"${hash}"}]`],
  ["an unknown key", `[{"name":"a","scopes":["ingest"],"sha256":"${hash}","secret":1}]`],
  ["no collections", `[{"name":"a","scopes":["ingest"],"sha256":"${hash}","collections":[]}]`],
  ["operate of one collection", `[{"name":"a","scopes":["operate"],"sha256":"${hash}","collections":["x"]}]`],
  [
    "a name twice",
    `[{"name":"a","scopes":["ingest"],"sha256":"${hash}"},{"name":"a","scopes":["search"],"sha256":"${hash}"}]`,
  ],
])("%s is refused, and what is secret is not told", ([, text]) => {
  expect(() => parseAccessTokens(text as string)).toThrow(
    expect.objectContaining({ code: "usage", message: expect.not.stringContaining("secret") }),
  );
});

test("settings: MEDLEY_TOKEN may do everything, MEDLEY_TOKENS come beside it, and neither is shown", () => {
  const environment = {
    MEDLEY_TOKEN: "secret-master",
    MEDLEY_TOKENS: JSON.stringify([{ name: "shop", token: "secret-shop", scopes: ["search"] }]),
  };
  const { tokens } = readSettings(environment);
  expect(tokens.map(({ name, scopes }) => [name, scopes])).toEqual([
    ["MEDLEY_TOKEN", ["ingest", "search", "operate"]],
    ["shop", ["search"]],
  ]);
  expect(JSON.stringify(explainSettings(environment))).not.toContain("secret");
  expect(readSettings({}).tokens).toEqual([]);
});

test("a file with an empty token is no token, and no open door", () => {
  expect(() => readSettings({ MEDLEY_TOKEN_FILE: "/dev/null" })).toThrow("the token is empty");
});
