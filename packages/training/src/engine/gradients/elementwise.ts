import type { Value } from "../value.ts";
import { where } from "../value.ts";
import {
  type Differentiated,
  demand,
  firstIncoming,
  type GradientRule,
  type GradientRules,
  inputOf,
  outputOf,
} from "./rule.ts";

/** Of y = f(x): `derivative` gives dy's share from x and y. */
function unary(derivative: (dy: Value, x: Value, y: Value) => Value): GradientRule {
  return (asked) => [derivative(firstIncoming(asked), inputOf(asked, 0), outputOf(asked, 0))];
}

/** Of z = f(a, b): each side is only built where it is asked for, and summed over what was stretched. */
function binary(sides: {
  left: (dz: Value, a: Value, b: Value, z: Value) => Value;
  right: (dz: Value, a: Value, b: Value, z: Value) => Value;
}): GradientRule {
  return (asked) => {
    const [dz, a, b, z] = [firstIncoming(asked), inputOf(asked, 0), inputOf(asked, 1), outputOf(asked, 0)];
    return [
      asked.needs[0] ? sides.left(dz, a, b, z).sumTo(a.shape) : null,
      asked.needs[1] ? sides.right(dz, a, b, z).sumTo(b.shape) : null,
    ];
  };
}

/** The side that was taken has the gradient; where both are equal, the left one. */
function extremum(takesLeft: (a: Value, b: Value) => Value): GradientRule {
  const ofTwo = binary({
    left: (dz, a, b) => dz.mul(takesLeft(a, b)),
    right: (dz, a, b) => dz.mul(takesLeft(a, b).neg().add(1)),
  });
  return (asked) => {
    demand(asked, asked.node.inputs.length === 2, "it compares other than two values");
    return ofTwo(asked);
  };
}

const product = binary({ left: (dz, _a, b) => dz.mul(b), right: (dz, a) => dz.mul(a) });

function multiply(asked: Differentiated): readonly (Value | null)[] {
  const [a, b] = [inputOf(asked, 0), inputOf(asked, 1)];
  return a === b ? [firstIncoming(asked).mul(2).mul(a)] : product(asked);
}

const twoOverRootPi = 2 / Math.sqrt(Math.PI);

/** `Where(condition, a, b)`. */
function whereRule(asked: Differentiated): (Value | null)[] {
  const [dy, condition] = [firstIncoming(asked), inputOf(asked, 0)];
  const zero = asked.graph.scalar(0);
  return [
    null,
    asked.needs[1] ? where(condition, dy, zero).sumTo(inputOf(asked, 1).shape) : null,
    asked.needs[2] ? where(condition, zero, dy).sumTo(inputOf(asked, 2).shape) : null,
  ];
}

/** Bounds are constants: where x is between them, the gradient passes. */
function clip(asked: Differentiated): (Value | null)[] {
  const [dy, x, y] = [firstIncoming(asked), inputOf(asked, 0), outputOf(asked, 0)];
  const same = asked.graph.one("Equal", [x, y], { shape: x.shape, type: "bool" });
  return [dy.mul(same.cast("float32"))];
}

function elu(asked: Differentiated): (Value | null)[] {
  const [dy, x, y] = [firstIncoming(asked), inputOf(asked, 0), outputOf(asked, 0)];
  const alpha = asked.node.attributes.float("alpha", 1);
  const above = x.atLeast(0);
  return [dy.mul(above.add(above.neg().add(1).mul(y.add(alpha))))];
}

function leakyRelu(asked: Differentiated): (Value | null)[] {
  const [dy, x] = [firstIncoming(asked), inputOf(asked, 0)];
  const alpha = asked.node.attributes.float("alpha", 0.01);
  const above = x.atLeast(0);
  return [dy.mul(above.add(above.neg().add(1).mul(alpha)))];
}

/** Of more or fewer than two values, which ONNX allows. */
function sum(asked: Differentiated): (Value | null)[] {
  const dy = firstIncoming(asked);
  return asked.node.inputs.map((value) => (value === null ? null : dy.sumTo(value.shape)));
}

export const elementwiseRules: GradientRules = {
  Add: binary({ left: (dz) => dz, right: (dz) => dz }),
  Sub: binary({ left: (dz) => dz, right: (dz) => dz.neg() }),
  Mul: multiply,
  Div: binary({ left: (dz, _a, b) => dz.div(b), right: (dz, _a, b, z) => dz.mul(z).div(b).neg() }),
  Pow: binary({
    left: (dz, a, b) => dz.mul(b).mul(a.pow(b.sub(1))),
    right: (dz, a, _b, z) => dz.mul(z).mul(a.log()),
  }),
  Max: extremum((a, b) => a.atLeast(b)),
  Min: extremum((a, b) => b.atLeast(a)),
  Sum: sum,
  Neg: unary((dy) => dy.neg()),
  Exp: unary((dy, _x, y) => dy.mul(y)),
  Log: unary((dy, x) => dy.div(x)),
  Sqrt: unary((dy, _x, y) => dy.div(y.mul(2))),
  Reciprocal: unary((dy, _x, y) => dy.mul(y.square()).neg()),
  Sin: unary((dy, x) => dy.mul(x.cos())),
  Cos: unary((dy, x) => dy.mul(x.sin()).neg()),
  Tanh: unary((dy, _x, y) => dy.mul(y.square().neg().add(1))),
  Sigmoid: unary((dy, _x, y) => dy.mul(y).mul(y.neg().add(1))),
  // 2/√π e^(-x²), its factor within the exponent: one pass over memory less.
  Erf: unary((dy, x) => dy.mul(x.graph.scalar(Math.log(twoOverRootPi)).sub(x.square()).exp())),
  Relu: unary((dy, _x, y) => dy.mul(y.above(0))),
  Abs: unary((dy, x) => dy.mul(x.sign())),
  Softplus: unary((dy, x) => dy.mul(x.sigmoid())),
  Elu: elu,
  LeakyRelu: leakyRelu,
  Clip: clip,
  Where: whereRule,
  Identity: unary((dy) => dy),
  Cast: (asked) => (inputOf(asked, 0).type === "float32" ? [firstIncoming(asked)] : [null]),
  Dropout: (asked) => {
    const [dy, share] = [firstIncoming(asked), asked.node.inputs[1]];
    const mask = asked.graph.extraOutput(asked.node, 1, dy.shape, "bool");
    const kept = dy.mul(mask.cast("float32"));
    return [share ? kept.div(share.neg().add(1)) : kept];
  },
};
