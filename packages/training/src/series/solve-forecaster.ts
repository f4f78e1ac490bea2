import type { TrainedTensors } from "../engine/index.ts";
import type { TrainingOptions } from "../progress.ts";
import type { Curve } from "../trained-model.ts";
import type { SeriesKind } from "./forecaster.ts";
import { type Level, type LinearMap, leastSquares } from "./least-squares.ts";
import { type SeriesModel, validationErrors } from "./series-model.ts";
import type { SeriesWindows } from "./windows.ts";

/** The kept weights with their figures, and the validation error of every ridge that was tried. */
export interface SolvedForecaster {
  readonly trained: TrainedTensors;
  readonly metrics: Readonly<Record<string, number>>;
  readonly curves: readonly Curve[];
}

/** From hardly any to firm. */
const ridges = [1e-6, 1e-4, 1e-3, 1e-2, 3e-2, 1e-1];

export function isLinear(kind: SeriesKind): boolean {
  return kind === "dlinear" || kind === "nlinear";
}

/**
 * DLinear's or NLinear's weights by least squares; the ridge with the lowest validation error is kept. No seed has a part in it. Where the
 * signal aborts, what was read and tried so far counts.
 */
export async function solveForecaster(
  model: SeriesModel,
  windows: SeriesWindows,
  {
    threads,
    signal,
    onProgress,
  }: { readonly threads: number } & {
    readonly [Name in "signal" | "onProgress"]: TrainingOptions[Name] | undefined;
  },
): Promise<SolvedForecaster> {
  const maps = await leastSquares(windows, ridges, {
    level: levelOf(model),
    signal,
    onWindows: (done, total) => onProgress?.({ stage: "least squares", done, total, unit: "windows" }),
  });
  const points: Curve["points"][number][] = [];
  let best: { readonly trained: TrainedTensors; readonly metrics: Record<string, number> } | null = null;
  for (const [at, map] of maps.entries()) {
    if (signal?.aborted && best !== null) break;
    const trained = tensorsOf(model.kind, map);
    const errors = await validationErrors(model, trained, windows, threads);
    const mse = errors["validation/mse"] as number;
    points.push({ step: at + 1, value: mse });
    if (best === null || mse < (best.metrics["validation/mse"] as number))
      best = { trained, metrics: { ...errors, ridge: ridges[at] as number } };
    onProgress?.({ stage: "validation", done: at + 1, total: ridges.length, unit: "ridges", loss: mse });
  }
  return { ...(best as NonNullable<typeof best>), curves: [{ name: "validation/mse", points }] };
}

function levelOf({ kind, sizes }: SeriesModel): Level {
  if (kind === "nlinear") return "last";
  return sizes.centred ? "mean" : "none";
}

/** As linear-forecasters.ts names them. The seasonal part and the trend add up to the window: one map of it is the best one of both. */
function tensorsOf(kind: SeriesKind, { weight, bias }: LinearMap): TrainedTensors {
  const [weights, biases] = [Float32Array.from(weight.values), Float32Array.from(bias)];
  if (kind === "nlinear") {
    return new Map([
      ["ahead/weight", weights],
      ["ahead/bias", biases],
    ]);
  }
  return new Map([
    ["seasonal/weight", weights],
    ["seasonal/bias", biases],
    ["trend/weight", weights],
    ["trend/bias", new Float32Array(biases.length)],
  ]);
}
