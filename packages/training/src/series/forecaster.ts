import { concat, type Value } from "../engine/index.ts";
import { autoformer } from "./autoformer.ts";
import { informer } from "./informer.ts";
import { dLinear, nLinear } from "./linear-forecasters.ts";

export const seriesKinds = ["autoformer", "dlinear", "informer", "nlinear"] as const;
export type SeriesKind = (typeof seriesKinds)[number];

/** The size of a model; DLinear and NLinear know `kernel` alone. */
export interface ForecasterSize {
  /** Of the moving average, odd. */
  readonly kernel: number;
  /** Of the latent vectors (the papers' d_model). */
  readonly width: number;
  /** Of the layers between (d_ff). */
  readonly hiddenWidth: number;
  readonly heads: number;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  /** The papers' c: delays or queries are c ln(steps). */
  readonly factor: number;
  /** Last steps of the look-back that the decoder begins with. */
  readonly labelSteps: number;
  readonly dropout: number;
  /** Parts of the look-back whose means are the latent vector. */
  readonly segments: number;
  /**
   * Whether a window is taken less its own mean per channel, which the forecast gets back and the latent vector tells: a level that
   * was never seen in training is then no surprise (Kim et al., Reversible instance normalization, ICLR 2022, without the scale).
   */
  readonly centred: boolean;
  /** Of the keys that Informer's ProbSparse attention samples. */
  readonly sampleSeed: number;
}

export interface ForecasterInputs {
  /** Scaled, [batch, lookback, channels]. */
  readonly series: Value;
  /** [batch, lookback + horizon, marks]; null without a calendar. */
  readonly marks: Value | null;
}

export interface Forecast {
  /** Scaled, [batch, horizon, channels]. */
  readonly forecast: Value;
  /** What the model knows of the window, [batch, any]. */
  readonly latent: Value;
}

/** Adds a model to the graph of its inputs. */
export type Forecaster = (inputs: ForecasterInputs, horizon: number, size: ForecasterSize) => Forecast;

/** Adds a model of a kind to the graph of its inputs, centred where its size says so. */
export function addForecaster(
  kind: SeriesKind,
  { series, marks }: ForecasterInputs,
  horizon: number,
  size: ForecasterSize,
): Forecast {
  const forecaster = forecasters[kind];
  if (!size.centred) return forecaster({ series, marks }, horizon, size);
  const level = series.mean([1], { keepsAxes: true });
  const { forecast, latent } = forecaster({ series: series.sub(level), marks }, horizon, size);
  const told = level.reshape([series.size(0), series.size(2)]);
  return { forecast: forecast.add(level), latent: concat([latent, told], 1) };
}

const forecasters: Readonly<Record<SeriesKind, Forecaster>> = {
  autoformer,
  dlinear: dLinear,
  informer,
  nlinear: nLinear,
};
