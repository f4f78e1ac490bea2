import { strict as assert } from "node:assert";
import type { VectorTable } from "@medley/training";
import pg from "pg";

/** Rows of a collection, by id. */
export interface Segments<Space extends string> {
  /** Of each space a row per record, of unit length or all zero. */
  readonly tables: Readonly<Record<Space, VectorTable>>;
  /** The fields that were asked for, of each record. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** The segments of some spaces by plain SQL, of the rows whose field `part` is the one given. */
export async function readSegments<Space extends string>(
  connectionString: string,
  query: {
    readonly collection: string;
    readonly spaces: readonly Space[];
    readonly fields: readonly string[];
    readonly part: string;
  },
): Promise<Segments<Space>> {
  const { collection, spaces, fields, part } = query;
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const columns = spaces.map((space) => `medley.segment(embedding, '${collection}', '${space}')::real[]`);
    const { rows } = await client.query({
      text: `select ${[...columns, ...fields].join(", ")} from medley.${collection} where part = $1 order by id`,
      values: [part],
      rowMode: "array",
    });
    assert(rows.length > 0, `rows of part ${part}`);
    const tableOf = (at: number): VectorTable => {
      const segments = rows.map((row) => row[at] as number[]);
      return {
        values: Float32Array.from(segments.flat()),
        dimensions: segments[0]?.length as number,
      };
    };
    const tables = Object.fromEntries(spaces.map((space, at) => [space, tableOf(at)]));
    return {
      tables: tables as Record<Space, VectorTable>,
      rows: rows.map((row) => Object.fromEntries(fields.map((name, at) => [name, row[spaces.length + at]]))),
    };
  } finally {
    await client.end();
  }
}

/**
 * One vector per row whose inner product with another row's is the weighted sum of the spaces' cosines, as a search scores it:
 * each segment times the root of its weight, 0 or above.
 */
export function fuseSegments<Space extends string>(
  { tables, rows }: Segments<Space>,
  weights: Readonly<Partial<Record<Space, number>>>,
): VectorTable {
  const chosen = Object.entries<number | undefined>(weights).map(([space, weight = 0]) => ({
    table: tables[space as Space],
    scale: Math.sqrt(weight),
  }));
  const dimensions = chosen.reduce((sum, { table }) => sum + table.dimensions, 0);
  const values = new Float32Array(rows.length * dimensions);
  let from = 0;
  for (const { table, scale } of chosen) {
    for (let row = 0; row < rows.length; row += 1) {
      for (let at = 0; at < table.dimensions; at += 1)
        values[row * dimensions + from + at] = scale * (table.values[row * table.dimensions + at] as number);
    }
    from += table.dimensions;
  }
  return { values, dimensions };
}
