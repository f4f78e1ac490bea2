import { type Neighbour, type NodeInput, type Space, spaceInput } from "@medley/core";
import { neighboursMax } from "@medley/store";
import { Random, type TrainingRecord, type VectorTable } from "@medley/training";

/** Records with their segments of other spaces, as those were measured: `tables` have a row for each, in their order. */
export function withSegments(
  records: readonly TrainingRecord[],
  tables: readonly VectorTable[],
): readonly TrainingRecord[] {
  if (tables.length === 0) return records;
  const dimensions = tables.reduce((sum, table) => sum + table.dimensions, 0);
  return records.map((record, row) => {
    const features = new Float32Array(dimensions);
    let offset = 0;
    for (const { values, dimensions: own } of tables) {
      features.set(values.subarray(row * own, (row + 1) * own), offset);
      offset += own;
    }
    return { ...record, features };
  });
}

/** The two ends of an edge, and what they have to do with each other. */
type Edges = ReadonlyMap<string, number>;

/**
 * What an encoder of a graph's nodes is given of a record: its edges, its features and whom it has edges with among `records`, as the store
 * tells the embedding stage. Of more neighbours than an encoder takes some are drawn, the same ones each time. Null: it is no node.
 */
export function nodeInputs(
  space: Space,
  records: readonly TrainingRecord[],
): (record: TrainingRecord) => NodeInput | null {
  const known = new Map(records.map(({ id, features }) => [id, features ?? null]));
  const edges = new Map<string, Map<string, number>>();
  const meet = (one: string, other: string, weight: number) => {
    const of = edges.get(one) ?? new Map<string, number>();
    edges.set(one, of.set(other, (of.get(other) ?? 0) + weight));
  };
  for (const record of records) {
    const node = spaceInput(space, record) as NodeInput | null;
    for (const [target, weight] of Object.entries(node?.edges ?? {})) {
      meet(record.id, target, weight);
      if (target !== record.id) meet(target, record.id, weight);
    }
  }
  const neighboursOf = (id: string, [max, ...further]: readonly number[]): readonly Neighbour[] =>
    max === undefined
      ? []
      : drawn(edges.get(id) ?? new Map(), max).map(([other, weight]) => {
          return {
            id: other,
            weight,
            features: known.get(other) ?? null,
            neighbours: neighboursOf(other, further),
          };
        });
  return (record) => {
    const input = spaceInput(space, record) as NodeInput | null;
    if (input === null) return null;
    const { features } = record;
    const said = features === undefined ? {} : { features };
    return { ...input, ...said, neighbours: neighboursOf(record.id, neighboursMax) };
  };
}

function drawn(edges: Edges, max: number): readonly (readonly [string, number])[] {
  const all = [...edges].sort(([a], [b]) => (a < b ? -1 : 1));
  if (all.length <= max) return all;
  const random = new Random(all.length);
  return all
    .map((edge) => ({ edge, place: random.uniform() }))
    .sort((a, b) => a.place - b.place)
    .slice(0, max)
    .map(({ edge }) => edge);
}
