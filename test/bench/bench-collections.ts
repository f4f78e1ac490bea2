import type { Deployment } from "medley";

/** Vectors are the records' own, so nothing is computed: what is left is what Medley costs. */
const dimensions = 8;
export const points = {
  collections: {
    points: {
      fields: { place: `vector(${dimensions})` },
      spaces: { place: { encoder: "vector", field: "place" } },
    },
  },
};

/** The values of record n follow from n. */
export function pointOf(id: string, n: number) {
  return { id, place: Array.from({ length: dimensions }, (_, dimension) => Math.sin(n + dimension)) };
}

/** Texts for the default model. */
export const notes = {
  collections: {
    notes: { fields: { text: "text" }, spaces: { text: { encoder: "text", field: "text" } } },
  },
};

export async function countRows({ pool }: Deployment, collection: "points" | "notes"): Promise<number> {
  const { rows } = await pool.query(`select count(*)::int as count from medley.${collection}`);
  return rows[0].count;
}
