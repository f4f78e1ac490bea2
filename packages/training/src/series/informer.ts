import {
  attention,
  batchNorm,
  conv1d,
  dropout,
  layerNorm,
  linear,
  maxPool1d,
  type Value,
} from "../engine/index.ts";
import { segmentMeans } from "./decomposition.ts";
import type { Forecast, ForecasterInputs, ForecasterSize } from "./forecaster.ts";
import { probSparseAttention } from "./prob-sparse-attention.ts";
import { convolution, decoderStart, embedSteps, feedForward } from "./window-embedding.ts";

/**
 * Informer (Zhou et al., Informer: Beyond efficient transformer for long sequence time-series forecasting, AAAI 2021): an encoder
 * of ProbSparse attention that halves the series between its layers, and a decoder that forecasts the whole horizon at once
 * from the last `labelSteps`. Inputs [batch, lookback, channels] and [batch, lookback + horizon, marks]. Features: the encoder's
 * means over `segments` parts of the look-back, [batch, segments * width].
 */
export function informer(
  { series, marks }: ForecasterInputs,
  horizon: number,
  size: ForecasterSize,
): Forecast {
  const { width, dropout: dropoutShare } = size;
  const [lookback, channels] = [series.size(1), series.size(2)];
  const labelSteps = Math.min(size.labelSteps, lookback);
  const embedding = { width, dropoutShare, positions: true };
  const known = marks?.slice(1, 0, lookback) ?? null;
  const encoded = encode(embedSteps("encoder", { values: series, marks: known, ...embedding }), size);

  const asked = marks?.slice(1, lookback - labelSteps, lookback + horizon) ?? null;
  const values = decoderStart(series, series.slice(1, 0, 1).mul(0), { labelSteps, horizon });
  const start = embedSteps("decoder", { values, marks: asked, ...embedding });
  const decoded = layerNorm("decoder-norm", decode(start, encoded, size));
  return {
    forecast: linear("out", decoded, channels).slice(1, labelSteps, labelSteps + horizon),
    features: segmentMeans(encoded, size.segments),
  };
}

function encode(embedded: Value, size: ForecasterSize): Value {
  let x = embedded;
  for (let layer = 0; layer < size.encoderLayers; layer += 1) {
    x = x.graph.scoped(`encoder-${layer + 1}`, () => {
      const sparse = { ...size, causal: false, sampleSeed: size.sampleSeed + layer };
      const attended = dropout(probSparseAttention("self", x, sparse), size.dropout);
      const first = layerNorm("norm-1", x.add(attended));
      const last = layerNorm("norm-2", first.add(forward(first, size)));
      return layer + 1 < size.encoderLayers ? distil("distil", last) : last;
    });
  }
  return layerNorm("encoder-norm", x);
}

function decode(start: Value, encoded: Value, size: ForecasterSize): Value {
  const { heads } = size;
  let x = start;
  for (let layer = 0; layer < size.decoderLayers; layer += 1) {
    x = x.graph.scoped(`decoder-${layer + 1}`, () => {
      const sparse = { ...size, causal: true, sampleSeed: size.sampleSeed + size.encoderLayers + layer };
      const own = layerNorm("norm-1", x.add(dropout(probSparseAttention("self", x, sparse), size.dropout)));
      const cross = dropout(attention("cross", own, encoded, { heads }), size.dropout);
      const mixed = layerNorm("norm-2", own.add(cross));
      return layerNorm("norm-3", mixed.add(forward(mixed, size)));
    });
  }
  return x;
}

function forward(x: Value, { hiddenWidth, dropout: dropoutShare }: ForecasterSize): Value {
  return feedForward("forward", x, { hiddenWidth, dropoutShare, bias: true });
}

/**
 * The paper's distilling (eq. 5): convolution, batch norm, ELU, and the maximum of three steps at every second one.
 * [batch, steps, width] to [batch, ceil(steps / 2), width].
 */
export function distil(name: string, x: Value): Value {
  return x.graph.scoped(name, () => {
    const convolved = conv1d("convolution", x, x.size(2), convolution);
    return maxPool1d(batchNorm("norm", convolved).elu(), { kernel: 3, stride: 2, padding: 1 });
  });
}
