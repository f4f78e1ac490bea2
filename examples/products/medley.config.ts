import { defineConfig } from "medley";

export default defineConfig({
  collections: {
    products: {
      fields: {
        title: "text",
        description: "text",
        photo: "image",
        category: "category",
        colour: "category",
        price: "number",
        launched: "timestamp",
      },
      spaces: {
        photo: { encoder: "image", field: "photo", model: "thin-resnet-50", from: { folder: "./photos" } },
        about: { encoder: "text", field: ["title", "description"] },
        category: {
          encoder: "category",
          field: "category",
          values: [
            "sneakers",
            "boots",
            "watches",
            "sunglasses",
            "handbags",
            "backpacks",
            "umbrellas",
            "headphones",
            "mugs",
            "teapots",
            "chairs",
            "lamps",
          ],
        },
        colour: {
          encoder: "category",
          field: "colour",
          values: [
            "red",
            "orange",
            "yellow",
            "green",
            "teal",
            "blue",
            "purple",
            "pink",
            "brown",
            "black",
            "grey",
            "white",
          ],
        },
        price: { encoder: "number", field: "price", range: [5, 1000], scale: "log", prefer: "low" },
        launched: { encoder: "recency", field: "launched", horizonDays: 1_200 },
      },
      /** What the spaces should weigh for products of one category to be near each other: medley assign. */
      tasks: { category: { kind: "classification", label: "category" } },
      profiles: { events: { view: 1, buy: 4, return: -4 }, halfLifeDays: 90 },
    },
  },
});
