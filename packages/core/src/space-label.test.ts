import { expect, test } from "vitest";
import type { Collection } from "./collection.ts";
import { checkConfig } from "./config/check.ts";
import { labelColumnsOf } from "./space-label.ts";

test("every space that is tuned has a column for its label and one for the probability, in the order of the spaces", () => {
  const fields = { text: "text", photo: "image", tone: "category" };
  const spaces = {
    plain: { encoder: "text", field: "text" },
    view: { encoder: "image", field: "photo", model: "./vit", tuned: { target: "tone" } },
    meaning: { encoder: "text", field: "text", tuned: { target: "tone", blocks: 0 } },
    tone: { encoder: "entity", field: "tone", dimensions: 2 },
  };
  const [collection] = checkConfig({ collections: { reviews: { fields, spaces } } }) as [Collection];
  expect(labelColumnsOf(collection)).toEqual([
    { space: "view", label: "view_label", probability: "view_probability" },
    { space: "meaning", label: "meaning_label", probability: "meaning_probability" },
  ]);
});
