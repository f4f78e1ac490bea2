import { expect, test } from "vitest";
import { openTestServer, tokenOf } from "../server.fixture.ts";

test("collections are described as far as the token reaches", async () => {
  const tokens = [tokenOf("all", ["search"]), tokenOf("one", ["search"], ["films"])];
  const { request } = await openTestServer({ tokens });
  const named = async (token: string) => {
    const { body } = await request("/v1/collections", { headers: { authorization: `Bearer ${token}` } });
    return body.collections;
  };
  expect((await named("all")).map(({ name }: { name: string }) => name)).toEqual(["films", "streamed"]);
  expect(await named("one")).toEqual([
    {
      name: "films",
      fields: { title: "text", year: "number", genre: "category" },
      spaces: [
        { name: "year", encoder: "number", fields: ["year"], dimensions: 2, weight: 1, readsText: false },
        { name: "genre", encoder: "category", fields: ["genre"], dimensions: 2, weight: 1, readsText: false },
      ],
      texts: [{ name: "words", fields: [{ field: "title", label: "A" }], language: "english", weight: 1 }],
      classes: ["comedies"],
    },
  ]);
});

test("where no token is set, all are described", async () => {
  const { request } = await openTestServer();
  expect((await request("/v1/collections")).body.collections).toHaveLength(2);
});
