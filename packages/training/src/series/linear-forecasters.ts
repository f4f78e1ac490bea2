import { concat, linear, type Value } from "../engine/index.ts";
import { decompose } from "./decomposition.ts";
import type { Forecast, ForecasterInputs, ForecasterSize } from "./forecaster.ts";

/**
 * DLinear (Zeng, Chen, Zhang & Xu, Are transformers effective for time series forecasting?, AAAI 2023): one linear map over time
 * of the seasonal part and one of the trend, shared by all channels. series [batch, lookback, channels]. Features: both maps'
 * results, [batch, 2 * horizon * channels].
 */
export function dLinear({ series }: ForecasterInputs, horizon: number, { kernel }: ForecasterSize): Forecast {
  const { seasonal, trend } = decompose(series, kernel);
  const [ahead, level] = [alongTime("seasonal", seasonal, horizon), alongTime("trend", trend, horizon)];
  return {
    forecast: ahead.add(level).transpose([0, 2, 1]),
    features: flat(concat([ahead, level], 1)),
  };
}

/**
 * NLinear (the same paper): the last step is taken off before one linear map over time, and added to what it gives, so that a
 * shift of the look-back is a shift of the forecast. Features: the map's results and the last step, [batch, (horizon + 1) *
 * channels].
 */
export function nLinear({ series }: ForecasterInputs, horizon: number): Forecast {
  const lookback = series.size(1);
  const last = series.slice(1, lookback - 1, lookback);
  const ahead = alongTime("ahead", series.sub(last), horizon);
  const level = last.transpose([0, 2, 1]);
  return {
    forecast: ahead.add(level).transpose([0, 2, 1]),
    features: flat(concat([ahead, level], 2)),
  };
}

/** [batch, lookback, channels] to [batch, channels, horizon]. */
function alongTime(name: string, x: Value, horizon: number): Value {
  return linear(name, x.transpose([0, 2, 1]), horizon);
}

function flat(x: Value): Value {
  return x.reshape([x.size(0), x.size(1) * x.size(2)]);
}
