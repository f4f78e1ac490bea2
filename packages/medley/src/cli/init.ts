import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MedleyError } from "@medley/core";
import type { Context } from "./context.ts";
import type { Outcome } from "./output.ts";

const template = `import { defineConfig } from "medley";

export default defineConfig({
  collections: {
    products: {
      fields: {
        title: "text",
        description: "text",
        categories: "categories",
        price: "number",
        added: "timestamp",
      },
      spaces: {
        about: { encoder: "text", field: ["title", "description"] },
        categories: { encoder: "category", field: "categories", values: ["books", "games", "tools"] },
        price: { encoder: "number", field: "price", range: [1, 1000], scale: "log", prefer: "low", weight: 0.5 },
        added: { encoder: "recency", field: "added", horizonDays: 730, weight: 0.5 },
      },
    },
  },
});
`;

/** `medley init`: writes a configuration to start from; never over one that is there. */
export async function initCommand(context: Context): Promise<Outcome> {
  const file = join(context.directory, context.global.config ?? "medley.config.ts");
  if (existsSync(file)) {
    throw new MedleyError("usage", `${file} exists`, { mend: "edit it, or name another with --config" });
  }
  writeFileSync(file, template, { flag: "wx" });
  const text = `wrote ${file}\nnext: describe your fields in it, then run: medley backfill FILE`;
  return { exitCode: 0, data: { file }, text };
}
