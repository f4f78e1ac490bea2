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
  /** Parts of the look-back over whose means the encoder is pooled. */
  readonly segments: number;
  /**
   * Whether a window is taken less its own mean per channel, which the forecast gets back: a level that
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
  /** What it is made of: of an encoder, pooled over the look-back. [batch, any]. */
  readonly features: Value;
}

/** Adds a model to the graph of its inputs. */
export type Forecaster = (inputs: ForecasterInputs, horizon: number, size: ForecasterSize) => Forecast;

export interface KnownWindow {
  /** Scaled, [batch, horizon, channels]. */
  readonly forecast: Value;
  /** What the window is known by, [batch, any]. */
  readonly latent: Value;
}

/**
 * Adds a model of a kind to the graph of its inputs, centred where its size says so. A window is known by the model's features and by its
 * forecast: either alone leaves out something that windows are compared for (docs/training/series.md has the figures).
 */
export function addForecaster(
  kind: SeriesKind,
  { series, marks }: ForecasterInputs,
  horizon: number,
  size: ForecasterSize,
): KnownWindow {
  const forecaster = forecasters[kind];
  if (!size.centred) {
    const { forecast, features } = forecaster({ series, marks }, horizon, size);
    return { forecast, latent: concat([features, flat(forecast)], 1) };
  }
  const level = series.mean([1], { keepsAxes: true });
  const centred = forecaster({ series: series.sub(level), marks }, horizon, size);
  const forecast = centred.forecast.add(level);
  return { forecast, latent: concat([centred.features, flat(level), flat(forecast)], 1) };
}

/** [batch, steps, channels] to [batch, steps * channels]. */
function flat(x: Value): Value {
  return x.reshape([x.size(0), x.size(1) * x.size(2)]);
}

const forecasters: Readonly<Record<SeriesKind, Forecaster>> = {
  autoformer,
  dlinear: dLinear,
  informer,
  nlinear: nLinear,
};
