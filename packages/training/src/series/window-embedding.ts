import { concat, conv1d, dropout, linear, type Value } from "../engine/index.ts";

/** Of the papers' convolutions, which go round at the ends. */
export const convolution = { kernel: 3, padding: "circular" } as const;

/**
 * What Informer and Autoformer make of each step (Zhou et al. 2021, appendix B): a convolution of the values plus a linear map of
 * the calendar, with `positions` also the sinusoids of Vaswani et al. 2017. values [batch, steps, channels], marks [batch, steps,
 * marks] to [batch, steps, width].
 */
export function embedSteps(
  name: string,
  {
    values,
    marks,
    width,
    dropoutShare,
    positions,
  }: {
    values: Value;
    marks: Value | null;
    width: number;
    dropoutShare: number;
    positions: boolean;
  },
): Value {
  const { graph } = values;
  return graph.scoped(name, () => {
    let embedded = conv1d("values", values, width, { ...convolution, bias: false });
    if (marks !== null) embedded = embedded.add(linear("calendar", marks, width, { bias: false }));
    if (positions) {
      const steps = values.size(1);
      embedded = embedded.add(graph.constant(sinusoids(steps, width), [steps, width]));
    }
    return dropout(embedded, dropoutShare);
  });
}

/** [steps, width]. */
function sinusoids(steps: number, width: number): Float32Array {
  return Float32Array.from({ length: steps * width }, (_, at) => {
    const [step, column] = [Math.floor(at / width), at % width];
    const angle = step / 10_000 ** ((column - (column % 2)) / width);
    return column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
}

/** Two linear maps with GELU between: [..., width] to the same. */
export function feedForward(
  name: string,
  x: Value,
  { hiddenWidth, dropoutShare, bias }: { hiddenWidth: number; dropoutShare: number; bias: boolean },
): Value {
  return x.graph.scoped(name, () => {
    const hidden = dropout(linear("in", x, hiddenWidth, { bias }).gelu(), dropoutShare);
    return dropout(linear("out", hidden, x.size(-1), { bias }), dropoutShare);
  });
}

/** The last `labelSteps` of `known` and then `ahead` for each step of the horizon: [batch, labelSteps + horizon, channels]. */
export function decoderStart(
  known: Value,
  ahead: Value,
  { labelSteps, horizon }: { labelSteps: number; horizon: number },
): Value {
  const steps = known.size(1);
  const repeated = ahead.expand([1, horizon, known.size(2)]);
  return concat([known.slice(1, steps - labelSteps, steps), repeated], 1);
}
