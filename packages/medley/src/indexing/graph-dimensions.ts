import { MedleyError } from "@medley/core";
import {
  checkNoGraphs,
  hasGraphs,
  type OfGeneration,
  type openPool,
  readGraphDimensions,
  type SampledSpace,
  type SpaceAxes,
  sampleSpaces,
  shortenedWanted,
  writeGraphAxes,
} from "@medley/store";
import {
  type DimensionSplit,
  fitAxes,
  type SpaceShare,
  splitDimensions,
  type TrainingProgress,
} from "@medley/training";

export interface GraphDimensionsOptions {
  readonly pool: ReturnType<typeof openPool>;
  readonly connectionString: string;
  readonly of: OfGeneration;
  /** Of all spaces together; null: all that the rows have. */
  readonly dimensions: number | null;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
}

/** More say no more of how many dimensions a space needs, and a search for it holds their cosines. */
const rowsMax = 20_000;
/** Axes fitted to fewer are those of the sample, not of the rows. */
const rowsMin = 1_000;
const seed = 1;
/** What a search asks of them is no row's segment, and they have few dimensions. */
const keptWhole = ["number", "recency", "geo"];

export type DimensionsSet =
  /** Graphs are, or will be, over as many already. */
  | { readonly state: "kept" }
  | { readonly state: "whole" }
  | { readonly state: "fitted"; readonly split: DimensionSplit }
  | { readonly state: "interrupted" };

/**
 * Has graphs that are built from then on be over as many dimensions: those along which a sample of the rows, read from the store, keeps the
 * most of its ten best, when all dimensions choose of the candidates. Rows stay as they are. Throws `usage` for a number that asks for nothing or
 * for what can't be, or where there are graphs over other dimensions; `training_data_invalid` for fewer than 1,000 rows; what `writeGraphAxes`
 * throws.
 */
export async function setGraphDimensions(options: GraphDimensionsOptions): Promise<DimensionsSet> {
  const { pool, connectionString, of, dimensions, signal } = options;
  const { ofRows, ofGraphs } = await readGraphDimensions(pool, of);
  if (ofGraphs === (dimensions ?? ofRows)) return { state: "kept" };
  await checkNoGraphs(pool, of);
  if (dimensions === null) {
    await writeGraphAxes(connectionString, of, []);
    return { state: "whole" };
  }
  const spaces = await sampleSpaces(pool, of, rowsMax);
  checkSample(spaces, of.collection);
  try {
    const split = await splitOf(spaces, dimensions, options);
    await writeGraphAxes(connectionString, of, await axesOf(spaces, split, signal));
    return { state: "fitted", split };
  } catch (error) {
    if (signal.aborted) return { state: "interrupted" };
    throw error;
  }
}

/**
 * Has a generation's graphs be over as many dimensions as those of the live one, along axes of its own; whole where it has no more. Nothing
 * where its graphs are there. Throws as `setGraphDimensions` does.
 */
export async function followGraphDimensions(
  options: Omit<GraphDimensionsOptions, "dimensions">,
): Promise<void> {
  const { pool, of } = options;
  const live = await readGraphDimensions(pool, { collection: of.collection });
  const { ofRows } = await readGraphDimensions(pool, of);
  const isWhole = live.ofGraphs === live.ofRows || live.ofGraphs >= ofRows;
  if (isWhole || (await hasGraphs(pool, of))) return;
  await setGraphDimensions({ ...options, dimensions: live.ofGraphs });
}

function checkSample(spaces: readonly SampledSpace[], collection: string): void {
  const rows = rowsOf(spaces);
  if (rows >= rowsMin) return;
  throw new MedleyError(
    "training_data_invalid",
    `"${collection}" has ${rows} rows; axes are fitted to at least ${rowsMin}`,
    { mend: "load more first, or leave out --dimensions: a scan of so few is as fast" },
  );
}

async function splitOf(
  spaces: readonly SampledSpace[],
  budget: number,
  { of, signal, onProgress = () => {} }: GraphDimensionsOptions,
): Promise<DimensionSplit> {
  // The sample comes in no order.
  const rows = Int32Array.from({ length: rowsOf(spaces) }, (_, row) => row);
  const [half, threeQuarters] = [Math.floor(rows.length / 2), Math.floor((3 * rows.length) / 4)];
  const split = await splitDimensions(
    spaces.map(({ space, encoder, values, dimensions }) => ({
      ...{ space, table: { values, dimensions }, cuts: [] },
      isReducible: !keptWhole.includes(encoder),
    })),
    {
      ...{ budget, candidates: shortenedWanted, seed, signal, onProgress },
      split: {
        train: rows.subarray(0, half),
        validation: rows.subarray(half, threeQuarters),
        test: rows.subarray(threeQuarters),
      },
    },
  );
  if (!("problem" in split)) return split;
  const isNeedless = split.problem === "needless";
  throw new MedleyError(
    "usage",
    isNeedless
      ? `the rows of "${of.collection}" have ${split.dimensions} dimensions: graphs over ${budget} save none`
      : `"${of.collection}" has no graphs over ${budget} dimensions`,
    {
      mend: isNeedless
        ? `give fewer than ${split.dimensions}, or --dimensions all`
        : `give at least ${split.dimensions}`,
    },
  );
}

/** Fitted to all rows of the sample. */
async function axesOf(
  spaces: readonly SampledSpace[],
  split: DimensionSplit,
  signal: AbortSignal,
): Promise<readonly SpaceAxes[]> {
  const rows = Int32Array.from({ length: rowsOf(spaces) }, (_, row) => row);
  const fitted: SpaceAxes[] = [];
  for (const [at, { space, values, dimensions }] of spaces.entries()) {
    const { to, by } = split.spaces[at] as SpaceShare;
    if (by === null || by === "cut") continue;
    const axes = await fitAxes({ values, dimensions }, { to, by }, { rows, seed, signal });
    const along = (axis: number) =>
      Array.from({ length: axes.rows }, (_, row) => axes.values[row * axes.columns + axis] as number);
    fitted.push({ space, axes: Array.from({ length: axes.columns }, (_, axis) => along(axis)) });
  }
  return fitted;
}

function rowsOf(spaces: readonly SampledSpace[]): number {
  const { values, dimensions } = spaces[0] as SampledSpace;
  return values.length / dimensions;
}
