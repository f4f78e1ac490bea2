import { concat, conv1d, dropout, layerNorm, linear, type Value } from "../engine/index.ts";
import { autoCorrelation } from "./auto-correlation.ts";
import { decompose, segmentMeans } from "./decomposition.ts";
import type { Forecast, ForecasterInputs, ForecasterSize } from "./forecaster.ts";
import { convolution, decoderStart, embedSteps, feedForward } from "./window-embedding.ts";

/**
 * Autoformer (Wu, Xu, Wang & Long, Autoformer: Decomposition transformers with auto-correlation for long-term series
 * forecasting, NeurIPS 2021), as its published code has it. The encoder keeps the seasonal part; the decoder begins with the last
 * `labelSteps` of it, refines it, and adds up the trend that each layer takes out. Inputs [batch, lookback, channels] and
 * [batch, lookback + horizon, marks]. Features: the encoder's means over `segments` parts of the look-back, and those of the trend,
 * which the encoder takes out, [batch, segments * (width + channels)].
 */
export function autoformer(
  { series, marks }: ForecasterInputs,
  horizon: number,
  size: ForecasterSize,
): Forecast {
  const { width, kernel, dropout: dropoutShare, segments } = size;
  const [lookback, channels] = [series.size(1), series.size(2)];
  const labelSteps = Math.min(size.labelSteps, lookback);
  const ahead = { labelSteps, horizon };
  const embedding = { width, dropoutShare, positions: false };
  const known = marks?.slice(1, 0, lookback) ?? null;
  const encoded = encode(embedSteps("encoder", { values: series, marks: known, ...embedding }), size);

  const { seasonal, trend } = decompose(series, kernel);
  const decoded = decoderStart(seasonal, seasonal.slice(1, 0, 1).mul(0), ahead);
  const asked = marks?.slice(1, lookback - labelSteps, lookback + horizon) ?? null;
  const start = embedSteps("decoder", { values: decoded, marks: asked, ...embedding });
  const levels = decoderStart(trend, series.mean([1], { keepsAxes: true }), ahead);
  const [refined, level] = decode(start, levels, encoded, size);
  const forecast = linear("out", seasonalNorm("decoder-norm", refined), channels).add(level);
  return {
    forecast: forecast.slice(1, labelSteps, labelSteps + horizon),
    features: concat([segmentMeans(encoded, segments), segmentMeans(trend, segments)], 1),
  };
}

function encode(embedded: Value, size: ForecasterSize): Value {
  let x = embedded;
  for (let layer = 0; layer < size.encoderLayers; layer += 1) {
    x = x.graph.scoped(`encoder-${layer + 1}`, () => {
      const attended = autoCorrelation("self", x, x, size);
      const first = decompose(x.add(dropout(attended, size.dropout)), size.kernel).seasonal;
      return decompose(first.add(forward(first, size)), size.kernel).seasonal;
    });
  }
  return seasonalNorm("encoder-norm", x);
}

function decode(start: Value, levels: Value, encoded: Value, size: ForecasterSize): [Value, Value] {
  const { kernel } = size;
  let [x, level] = [start, levels];
  for (let layer = 0; layer < size.decoderLayers; layer += 1) {
    [x, level] = x.graph.scoped(`decoder-${layer + 1}`, () => {
      const own = decompose(x.add(dropout(autoCorrelation("self", x, x, size), size.dropout)), kernel);
      const cross = autoCorrelation("cross", own.seasonal, encoded, size);
      const mixed = decompose(own.seasonal.add(dropout(cross, size.dropout)), kernel);
      const last = decompose(mixed.seasonal.add(forward(mixed.seasonal, size)), kernel);
      const trend = own.trend.add(mixed.trend).add(last.trend);
      return [
        last.seasonal,
        level.add(conv1d("trend", trend, level.size(2), { ...convolution, bias: false })),
      ];
    });
  }
  return [x, level];
}

function forward(x: Value, { hiddenWidth, dropout: dropoutShare }: ForecasterSize): Value {
  return feedForward("forward", x, { hiddenWidth, dropoutShare, bias: false });
}

/** Layer norm, less its mean over time: what is left is seasonal (section 3.1 of the published code's appendix). */
function seasonalNorm(name: string, x: Value): Value {
  const normed = layerNorm(name, x);
  return normed.sub(normed.mean([1], { keepsAxes: true }));
}
