import type { Value } from "../engine/index.ts";
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

export const forecasters: Readonly<Record<SeriesKind, Forecaster>> = {
  autoformer,
  dlinear: dLinear,
  informer,
  nlinear: nLinear,
};
