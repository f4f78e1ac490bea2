import { sizeOf } from "../shape.ts";
import type { Value } from "../value.ts";
import { type Differentiated, firstIncoming, type GradientRules, inputOf } from "./rule.ts";

/** Two-dimensional product, either side transposed: one kernel, no copy of the transposed side. */
function gemm(a: Value, b: Value, { transA = 0, transB = 0 }: { transA?: 0 | 1; transB?: 0 | 1 }): Value {
  const shape = [a.size(transA === 1 ? 1 : 0), b.size(transB === 1 ? 0 : 1)];
  return a.graph.one("Gemm", [a, b], { shape }, { transA, transB });
}

/** dA = dY Bᵀ, dB = Aᵀ dY; a matrix on the right meets all rows of the left at once. */
function matmul(asked: Differentiated): (Value | null)[] {
  const [dy, a, b] = [firstIncoming(asked), inputOf(asked, 0), inputOf(asked, 1)];
  if (a.rank === 1 || b.rank === 1) return vectorProduct(asked);
  if (b.rank === 2) {
    const rows = sizeOf(a.shape.slice(0, -1));
    const flat = dy.reshape([rows, dy.size(-1)]);
    return [
      asked.needs[0] ? gemm(flat, b, { transB: 1 }).reshape(a.shape) : null,
      asked.needs[1] ? gemm(a.reshape([rows, a.size(-1)]), flat, { transA: 1 }) : null,
    ];
  }
  return [
    asked.needs[0] ? dy.matmul(b.transposed()).sumTo(a.shape) : null,
    asked.needs[1] ? transposedProduct(a, dy).sumTo(b.shape) : null,
  ];
}

/** Aᵀ B; the narrower one is transposed, which runtimes do several times faster. */
export function transposedProduct(a: Value, b: Value): Value {
  return b.size(-1) < a.size(-1) ? b.transposed().matmul(a).transposed() : a.transposed().matmul(b);
}

/** A vector on one side counts as a matrix of one row or column. */
function vectorProduct(asked: Differentiated): (Value | null)[] {
  const [dy, a, b] = [firstIncoming(asked), inputOf(asked, 0), inputOf(asked, 1)];
  const left = a.rank === 1 ? a.reshape([1, a.size(0)]) : a;
  const right = b.rank === 1 ? b.reshape([b.size(0), 1]) : b;
  const batch = left.rank > right.rank ? left.shape.slice(0, -2) : right.shape.slice(0, -2);
  const product = dy.reshape([...batch, left.size(-2), right.size(-1)]);
  return [
    asked.needs[0] ? product.matmul(right.transposed()).sumTo(left.shape).reshape(a.shape) : null,
    asked.needs[1] ? left.transposed().matmul(product).sumTo(right.shape).reshape(b.shape) : null,
  ];
}

/** Y = α A' B' + β C. */
function generalMatmul(asked: Differentiated): (Value | null)[] {
  const [dy, a, b] = [firstIncoming(asked), inputOf(asked, 0), inputOf(asked, 1)];
  const { attributes } = asked.node;
  const [transA, transB] = [attributes.int("transA", 0) === 1, attributes.int("transB", 0) === 1];
  const scaled = scale(dy, attributes.float("alpha", 1));
  const left = () =>
    transA
      ? gemm(b, scaled, { transA: transB ? 1 : 0, transB: 1 })
      : gemm(scaled, b, { transB: transB ? 0 : 1 });
  const right = () =>
    transB
      ? gemm(scaled, a, { transA: 1, transB: transA ? 1 : 0 })
      : gemm(a, scaled, { transA: transA ? 0 : 1 });
  const c = asked.node.inputs[2];
  return [
    asked.needs[0] ? left() : null,
    asked.needs[1] ? right() : null,
    c && asked.needs[2] ? scale(dy, attributes.float("beta", 1)).sumTo(c.shape) : null,
  ];
}

function scale(value: Value, factor: number): Value {
  return factor === 1 ? value : value.mul(factor);
}

export const matrixRules: GradientRules = { MatMul: matmul, Gemm: generalMatmul };
