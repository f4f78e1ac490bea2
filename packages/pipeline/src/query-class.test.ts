import { type Collection, checkConfig } from "@medley/core";
import { expect, test } from "vitest";
import { weighedByClass } from "./query-class.ts";

const [checked] = checkConfig({
  collections: {
    goods: {
      fields: { maker: "category", price: "number" },
      spaces: {
        maker: { encoder: "category", field: "maker", values: ["a", "b"] },
        price: { encoder: "number", field: "price", range: [0, 10] },
      },
    },
  },
}) as [Collection];
const goods = { ...checked, classes: { brand: { maker: 1.5, price: 0.5, gone: 2 }, gift: {} } };

test("a class fills in the weights that the search does not name, of spaces that there are", () => {
  const query = { parts: { maker: "a" }, k: 3 };
  expect(weighedByClass(goods, { ...query, class: "brand" })).toEqual({
    ...query,
    weights: { maker: 1.5, price: 0.5 },
  });
  expect(weighedByClass(goods, { ...query, class: "brand", weights: { price: -1 } })).toEqual({
    ...query,
    weights: { maker: 1.5, price: -1 },
  });
  expect(weighedByClass(goods, { ...query, class: "gift" })).toEqual({ ...query, weights: {} });
  expect(weighedByClass(goods, query)).toEqual(query);
});

test.for([
  ["brnad", goods, 'did you mean "brand"?'],
  ["constructor", goods, "known: brand, gift"],
  ["brand", checked, "medley assign"],
] as const)("the class %s is unknown, and it is said what is not", ([asked, collection, mend]) => {
  expect(() => weighedByClass(collection, { class: asked })).toThrow(
    expect.objectContaining({
      code: "query_invalid",
      message: `collection goods has no class "${asked}" of searches`,
      mend: expect.stringContaining(mend),
    }),
  );
});
