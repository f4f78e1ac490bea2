import { strict as assert } from "node:assert";
import type { Graph } from "./graph.ts";
import {
  axesOf,
  axisOf,
  broadcastShape,
  openDimension,
  reducedShape,
  type Shape,
  sameShape,
  sizeOf,
} from "./shape.ts";

/** Numbers of onnx.proto's `TensorProto.DataType`. */
export const elementTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
} as const;
export type ElementType = keyof typeof elementTypes;

/** A tensor of a graph. Methods add a node to the graph and give its output; a number stands for a scalar. */
export class Value {
  readonly graph: Graph;
  readonly name: string;
  readonly shape: Shape;
  readonly type: ElementType;

  constructor(graph: Graph, name: string, shape: Shape, type: ElementType) {
    this.graph = graph;
    this.name = name;
    this.shape = shape;
    this.type = type;
  }

  get rank(): number {
    return this.shape.length;
  }
  /** The size of an axis, counted from the end where it is negative. */
  size(axis: number): number {
    return this.shape[axisOf(axis, this.rank)] as number;
  }

  add(other: Value | number): Value {
    return this.#binary("Add", other);
  }
  sub(other: Value | number): Value {
    return this.#binary("Sub", other);
  }
  mul(other: Value | number): Value {
    return this.#binary("Mul", other);
  }
  div(other: Value | number): Value {
    return this.#binary("Div", other);
  }
  pow(exponent: Value | number): Value {
    return this.#binary("Pow", exponent);
  }
  max(other: Value | number): Value {
    return this.#binary("Max", other);
  }
  min(other: Value | number): Value {
    return this.#binary("Min", other);
  }
  neg(): Value {
    return this.unary("Neg");
  }
  exp(): Value {
    return this.unary("Exp");
  }
  log(): Value {
    return this.unary("Log");
  }
  sqrt(): Value {
    return this.unary("Sqrt");
  }
  sin(): Value {
    return this.unary("Sin");
  }
  cos(): Value {
    return this.unary("Cos");
  }
  tanh(): Value {
    return this.unary("Tanh");
  }
  sigmoid(): Value {
    return this.unary("Sigmoid");
  }
  erf(): Value {
    return this.unary("Erf");
  }
  relu(): Value {
    return this.unary("Relu");
  }
  abs(): Value {
    return this.unary("Abs");
  }
  sign(): Value {
    return this.unary("Sign");
  }
  softplus(): Value {
    return this.unary("Softplus");
  }
  /** Clevert, Unterthiner & Hochreiter 2016, alpha 1. */
  elu(): Value {
    return this.unary("Elu");
  }
  /** x times the normal distribution's cumulative function (Hendrycks & Gimpel 2016), by erf. */
  gelu(): Value {
    return this.mul(this.mul(Math.SQRT1_2).erf().add(1)).mul(0.5);
  }
  square(): Value {
    return this.mul(this);
  }

  /** 1 where it holds, else 0, as float32; no gradient passes. */
  atLeast(other: Value | number): Value {
    return this.#compared("GreaterOrEqual", other);
  }
  above(other: Value | number): Value {
    return this.#compared("Greater", other);
  }

  cast(type: ElementType): Value {
    return this.graph.one("Cast", [this], { shape: this.shape, type }, { to: elementTypes[type] });
  }

  /** Elements keep their row-major order. Open is a dimension afterwards only if one was before. */
  reshape(shape: Shape): Value {
    if (sameShape(shape, this.shape)) return this;
    const isOpen = this.shape.includes(openDimension);
    assert.equal(shape.includes(openDimension), isOpen, `[${this.shape}] can't be [${shape}]`);
    if (!isOpen) assert.equal(sizeOf(shape), sizeOf(this.shape), `[${this.shape}] can't be [${shape}]`);
    return this.graph.one("Reshape", [this, this.graph.integers(shape)], { shape, type: this.type });
  }

  transpose(permutation: readonly number[]): Value {
    assert.equal(permutation.length, this.rank, "a permutation of all axes");
    const shape = permutation.map((axis) => this.shape[axis] as number);
    return this.graph.one("Transpose", [this], { shape, type: this.type }, { perm: permutation });
  }

  /** The last two axes exchanged. */
  transposed(): Value {
    const last = this.rank - 1;
    const axes = Array.from({ length: last - 1 }, (_, axis) => axis);
    return this.transpose([...axes, last, last - 1]);
  }

  /** Stretches dimensions of 1; `openDimension` in `shape` keeps the one that is there. */
  expand(shape: Shape): Value {
    const full = broadcastShape(this.shape, shape);
    if (sameShape(full, this.shape)) return this;
    const asked = shape.map((dimension) => (dimension === openDimension ? 1 : dimension));
    return this.graph.one("Expand", [this, this.graph.integers(asked)], { shape: full, type: this.type });
  }

  /** Undoes broadcasting: sums over what was stretched, so that `shape` is left. */
  sumTo(shape: Shape): Value {
    if (sameShape(this.shape, shape)) return this;
    const added = this.rank - shape.length;
    const axes = this.shape.flatMap((dimension, axis) =>
      axis < added || (shape[axis - added] === 1 && dimension !== 1) ? [axis] : [],
    );
    const size = sizeOf(shape);
    // Of rows, the product with a row of ones: the runtime sums along columns several times slower.
    if (size > 1 && axes.length > 0 && axes.every((axis, at) => axis === at))
      return this.#columnSums(size).reshape(shape);
    return (axes.length === 0 ? this : this.sum(axes, { keepsAxes: true })).reshape(shape);
  }

  /** Over all axes where none are named. */
  sum(axes?: readonly number[], { keepsAxes = false }: { keepsAxes?: boolean } = {}): Value {
    return this.reduce("ReduceSum", axes, keepsAxes);
  }
  mean(axes?: readonly number[], { keepsAxes = false }: { keepsAxes?: boolean } = {}): Value {
    return this.reduce("ReduceMean", axes, keepsAxes);
  }
  largest(axes?: readonly number[], { keepsAxes = false }: { keepsAxes?: boolean } = {}): Value {
    return this.reduce("ReduceMax", axes, keepsAxes);
  }

  /** Numpy's matmul: the last two axes, the others broadcast. */
  matmul(other: Value): Value {
    assert(this.rank >= 2 && other.rank >= 2, "matmul takes matrices");
    assert.equal(this.size(-1), other.size(-2), `[${this.shape}] x [${other.shape}] at ${this.name}`);
    const batch = broadcastShape(this.shape.slice(0, -2), other.shape.slice(0, -2));
    return this.graph.one("MatMul", [this, other], { shape: [...batch, this.size(-2), other.size(-1)] });
  }

  softmax(axis = -1): Value {
    return this.graph.one("Softmax", [this], { shape: this.shape }, { axis: axisOf(axis, this.rank) });
  }
  logSoftmax(axis = -1): Value {
    return this.graph.one("LogSoftmax", [this], { shape: this.shape }, { axis: axisOf(axis, this.rank) });
  }

  slice(axis: number, from: number, to: number): Value {
    const at = axisOf(axis, this.rank);
    const size = this.shape[at] as number;
    assert(from >= 0 && from < to && to <= size, `${from} to ${to} is not within 0 to ${size}`);
    if (to - from === size) return this;
    const shape = this.shape.map((dimension, other) => (other === at ? to - from : dimension));
    const bounds = [from, to, at].map((bound) => this.graph.integers([bound]));
    return this.graph.one("Slice", [this, ...bounds], { shape, type: this.type });
  }

  /** Rows along an axis by int64 positions, of any shape. */
  gather(positions: Value, axis = 0): Value {
    const at = axisOf(axis, this.rank);
    const shape = [...this.shape.slice(0, at), ...positions.shape, ...this.shape.slice(at + 1)];
    return this.graph.one("Gather", [this, positions], { shape, type: this.type }, { axis: at });
  }

  /** One element per position along an axis; `positions` has the rank of this. */
  gatherElements(positions: Value, axis = -1): Value {
    const at = axisOf(axis, this.rank);
    return this.graph.one(
      "GatherElements",
      [this, positions],
      { shape: positions.shape, type: this.type },
      {
        axis: at,
      },
    );
  }

  /** The `count` largest along the last axis, largest first, and where they are. */
  topK(count: number): { values: Value; positions: Value } {
    assert(count >= 1 && count <= this.size(-1), `${count} of ${this.size(-1)}`);
    const shape = [...this.shape.slice(0, -1), count];
    const outputs = [{ shape }, { shape, type: "int64" as const }];
    const [values, positions] = this.graph.node("TopK", [this, this.graph.integers([count])], outputs, {
      axis: -1,
    });
    return { values: values as Value, positions: positions as Value };
  }

  /** Scaled to unit length along the last axis; all zero stays all zero. */
  unit(): Value {
    const squares = this.square().sum([-1], { keepsAxes: true });
    return this.div(squares.add(1e-12).sqrt());
  }

  unary(opType: string): Value {
    return this.graph.one(opType, [this], { shape: this.shape, type: this.type });
  }

  reduce(opType: string, axes: readonly number[] | undefined, keepsAxes: boolean): Value {
    const over = axesOf(axes, this.rank);
    if (over.length === 0) return this;
    const shape = reducedShape(this.shape, over, keepsAxes);
    const inputs = [this, this.graph.integers(over)];
    return this.graph.one(opType, inputs, { shape, type: this.type }, { keepdims: keepsAxes ? 1 : 0 });
  }

  /** The first axes as rows of `columns`: [1, columns]. */
  #columnSums(columns: number): Value {
    const rows = sizeOf(this.shape) / columns;
    return this.graph
      .scalar(1)
      .expand([1, rows])
      .matmul(this.reshape([rows, columns]));
  }

  #compared(opType: string, other: Value | number): Value {
    const lifted = this.#lift(other);
    const shape = broadcastShape(this.shape, lifted.shape);
    return this.graph.one(opType, [this, lifted], { shape, type: "bool" }).cast("float32");
  }

  #binary(opType: string, other: Value | number): Value {
    const lifted = this.#lift(other);
    const shape = broadcastShape(this.shape, lifted.shape);
    return this.graph.one(opType, [this, lifted], { shape, type: this.type });
  }

  #lift(other: Value | number): Value {
    return typeof other === "number" ? this.graph.scalar(other) : other;
  }
}

/** End to end along an axis. */
export function concat(values: readonly Value[], axis: number): Value {
  const [first] = values;
  assert(first, "at least one value");
  if (values.length === 1) return first;
  const at = axisOf(axis, first.rank);
  const length = values.reduce((sum, value) => sum + (value.shape[at] as number), 0);
  const shape = first.shape.map((dimension, other) => (other === at ? length : dimension));
  return first.graph.one("Concat", values, { shape, type: first.type }, { axis: at });
}

/** Element by element `chosen` where `condition` (bool) holds, else `other`. */
export function where(condition: Value, chosen: Value, other: Value): Value {
  const shape = broadcastShape(condition.shape, broadcastShape(chosen.shape, other.shape));
  return chosen.graph.one("Where", [condition, chosen, other], { shape, type: chosen.type });
}
