import { axisOf, sizeOf } from "../shape.ts";
import type { Value } from "../value.ts";
import { type Differentiated, demand, firstIncoming, type GradientRules, inputOf, outputOf } from "./rule.ts";

function softmax(asked: Differentiated): (Value | null)[] {
  const [dy, y] = [firstIncoming(asked), outputOf(asked, 0)];
  const axis = axisOf(asked.node.attributes.int("axis", -1), y.rank);
  return [y.mul(dy.sub(dy.mul(y).sum([axis], { keepsAxes: true })))];
}

function logSoftmax(asked: Differentiated): (Value | null)[] {
  const [dy, y] = [firstIncoming(asked), outputOf(asked, 0)];
  const axis = axisOf(asked.node.attributes.int("axis", -1), y.rank);
  return [dy.sub(y.exp().mul(dy.sum([axis], { keepsAxes: true })))];
}

/**
 * From the mean and 1/deviation that the operator gives beside (Ba, Kiros & Hinton 2016). In rows of what is normalised together;
 * means that are weighted by the scale are products with it.
 */
function layerNormalization(asked: Differentiated): (Value | null)[] {
  const { graph, node } = asked;
  const [x, scale] = [inputOf(asked, 0), inputOf(asked, 1)];
  const axis = axisOf(node.attributes.int("axis", -1), x.rank);
  const rows = sizeOf(x.shape.slice(0, axis));
  const columns = sizeOf(x.shape) / rows;
  const statistics = x.shape.map((size, at) => (at < axis ? size : 1));
  const [mean, inverse] = [1, 2].map((output) =>
    graph.extraOutput(node, output, statistics).reshape([rows, 1]),
  ) as [Value, Value];
  const dy = firstIncoming(asked).reshape([rows, columns]);
  const normed = x.reshape([rows, columns]).sub(mean).mul(inverse);
  const weighted = dy.mul(normed);
  const share = scale.reshape([columns, 1]).mul(1 / columns);
  const dx = () =>
    dy
      .mul(scale.reshape([columns]))
      .sub(dy.matmul(share))
      .sub(normed.mul(weighted.matmul(share)))
      .mul(inverse);
  const bias = node.inputs[2];
  return [
    asked.needs[0] ? dx().reshape(x.shape) : null,
    asked.needs[1] ? weighted.sumTo([columns]).reshape(scale.shape) : null,
    bias && asked.needs[2] ? dy.sumTo([columns]).reshape(bias.shape) : null,
  ];
}

/** With the statistics it was trained with, which are constants: a scale and a shift per channel (axis 1). */
function batchNormalization(asked: Differentiated): (Value | null)[] {
  const { node } = asked;
  demand(asked, node.attributes.int("training_mode", 0) === 0, "it uses the batch's statistics");
  const [dy, x, scale] = [firstIncoming(asked), inputOf(asked, 0), inputOf(asked, 1)];
  const channels = scale.size(0);
  const perChannel = x.shape.map((_, axis) => (axis === 1 ? channels : 1));
  const inverse = inputOf(asked, 4).add(node.attributes.float("epsilon", 1e-5)).sqrt();
  const others = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const normed = () => x.sub(inputOf(asked, 3).reshape(perChannel)).div(inverse.reshape(perChannel));
  return [
    asked.needs[0] ? dy.mul(scale.div(inverse).reshape(perChannel)) : null,
    asked.needs[1] ? dy.mul(normed()).sum(others) : null,
    asked.needs[2] ? dy.sum(others) : null,
  ];
}

/** Each channel of each sample by its own mean and variance over the axes after the second (Ulyanov et al. 2016). */
function instanceNormalization(asked: Differentiated): (Value | null)[] {
  const [dy, x, scale] = [firstIncoming(asked), inputOf(asked, 0), inputOf(asked, 1)];
  const axes = Array.from({ length: x.rank - 2 }, (_, at) => at + 2);
  const over = (value: Value) => value.mean(axes, { keepsAxes: true });
  const centred = x.sub(over(x));
  const inverse = asked.graph
    .scalar(1)
    .div(over(centred.square()).add(asked.node.attributes.float("epsilon", 1e-5)).sqrt());
  const normed = centred.mul(inverse);
  const perChannel = x.shape.map((size, axis) => (axis === 1 ? size : 1));
  const inner = dy.mul(scale.reshape(perChannel));
  const others = [0, ...axes];
  return [
    asked.needs[0] ? inverse.mul(inner.sub(over(inner)).sub(normed.mul(over(inner.mul(normed))))) : null,
    asked.needs[1] ? dy.mul(normed).sum(others) : null,
    asked.needs[2] ? dy.sum(others) : null,
  ];
}

export const normalisationRules: GradientRules = {
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  LayerNormalization: layerNormalization,
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
};
