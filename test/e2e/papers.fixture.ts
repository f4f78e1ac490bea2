import { loadConfig, openDeployment, readSettings } from "medley";
import { jsonLines, Workplace } from "./workplace.ts";

/** A graph of papers, of which GraphSAGE hears. */
export function papersConfig(spaces: object = {}) {
  return {
    collections: {
      papers: {
        fields: { year: "number", pages: "number", cites: "edges", topic: "category" },
        spaces: {
          year: { encoder: "number", field: "year", range: [0, 20] },
          pages: { encoder: "number", field: "pages", range: [0, 100] },
          graph: {
            ...{ encoder: "graphsage", field: "cites", features: ["year"] },
            ...{ dimensions: 8, target: "topic" },
          },
          ...spaces,
        },
      },
    },
  };
}

/** Each cites the next: p0 -> p1 -> ... -> p19. */
export const papers = Array.from({ length: 20 }, (_, n) => ({
  ...{ id: `p${n}`, year: n, pages: n, topic: n % 2 === 0 ? "even" : "odd" },
  cites: n === 19 ? [] : [`p${n + 1}`],
}));

/** With the papers in it, and a model that was trained on them. */
export async function openPapers(): Promise<Workplace> {
  const place = new Workplace(papersConfig());
  place.write("papers.jsonl", jsonLines(papers));
  const train = ["train", "papers.graph", "--from", "papers.jsonl", "--seed", "3", "--set", "hidden=16"];
  for (const command of [train, ["backfill", "papers.jsonl"]]) {
    const { exitCode, error } = await place.runJson(command);
    if (exitCode !== 0) throw new Error(`${command[0]}: ${error?.message}`);
  }
  return place;
}

export async function deploymentOf(place: Workplace) {
  const settings = readSettings({ MEDLEY_DATA_DIR: place.path(".medley"), MEDLEY_POSTGRES_PORT: "0" });
  return openDeployment({ ...(await loadConfig(place.folder)), settings });
}
