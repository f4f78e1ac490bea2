import { expect, test } from "vitest";
import { scopes } from "./index.ts";
import { openTestServer, tokenOf } from "./server.fixture.ts";

const tokens = [
  tokenOf("all", scopes),
  ...scopes.map((scope) => tokenOf(`only-${scope}`, [scope])),
  tokenOf("films-only", ["ingest", "search"], ["films"]),
  tokenOf("streamed-only", ["ingest", "search"], ["streamed"]),
];

/** What each token's request may come to. */
type Verdict = 401 | 403 | "through";

test("every route of the router, with no token, a bad one, one of the wrong scope or collection, and the right one", async () => {
  const { server } = await openTestServer({ tokens });
  const verdictOf = async (method: string, url: string, authorization?: string): Promise<Verdict> => {
    const path = url.replace(":name", "films").replace(":id", "a").replace(":space", "year");
    const headers = authorization === undefined ? {} : { authorization };
    const { status, headers: answered } = await fetch(`${server.url}${path}`, { method, headers });
    if (status === 401) expect(answered.get("www-authenticate")).toBe("Bearer");
    return status === 401 || status === 403 ? status : "through";
  };
  expect(server.routes.length).toBeGreaterThan(6);
  for (const { method, url, scope } of server.routes) {
    const open = scope === "open";
    const ofCollection = url.includes(":name");
    // Lists the collections that the token is for.
    const ofReach = url === "/v1/collections";
    const expected: readonly (readonly [string | undefined, Verdict])[] = [
      [undefined, open ? "through" : 401],
      ["", open ? "through" : 401],
      ["Bearer wrong", open ? "through" : 401],
      ["Bearer all2", open ? "through" : 401],
      ["Basic all", open ? "through" : 401],
      ["all", open ? "through" : 401],
      ["Bearer all", "through"],
      ...scopes.map((one) => [`Bearer only-${one}`, open || one === scope ? "through" : 403] as const),
      ["Bearer films-only", open || ofCollection || ofReach ? "through" : 403],
      ["Bearer streamed-only", open || ofReach ? "through" : 403],
    ];
    for (const [authorization, verdict] of expected) {
      const seen = await verdictOf(method, url, authorization);
      expect([method, url, authorization, seen]).toEqual([method, url, authorization, verdict]);
    }
  }
});

test("a route that does not say its scope does not come up", async () => {
  const open = openTestServer({ routes: [(app) => void app.get("/v1/new", async () => "secret")] });
  await expect(open).rejects.toThrow("/v1/new says which scope");
});

test("what has no route is told to any token, and to nobody without", async () => {
  const { request } = await openTestServer({ tokens });
  const statusOf = async (authorization: string) =>
    (await request("/nowhere", { headers: { authorization } })).status;
  expect(await statusOf("")).toBe(401);
  expect(await statusOf("Bearer films-only")).toBe(404);
});

test("403 says what is missing, by the token's name", async () => {
  const { request } = await openTestServer({ tokens });
  const { body } = await request("/metrics", { headers: { authorization: "Bearer only-search" } });
  expect(body.error).toEqual({
    code: "forbidden",
    message: 'the token "only-search" lacks the scope "operate"',
    mend: "it has: search",
  });
});
