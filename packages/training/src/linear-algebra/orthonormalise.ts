import { type DenseMatrix, transpose } from "./matrix.ts";

/** A column that loses all but this share of its length to the columns before it depends on them. */
const dependentShare = 1e-12;

/**
 * The Q of a thin QR decomposition, [rows, columns]: orthonormal columns that span those of `matrix`; one that depends on
 * those before it is all zero. Gram-Schmidt, run twice over each column, which keeps Q orthogonal to rounding ("twice is
 * enough": Giraud, Langou, Rozložník and van den Eshof, "Rounding error analysis of the classical Gram-Schmidt
 * orthogonalization process", 2005). Time grows with rows times columns squared.
 */
export function orthonormalise(matrix: DenseMatrix): DenseMatrix {
  const { rows, columns } = matrix;
  // Columns in memory order, so that the sums below run over neighbours.
  const turned = transpose(matrix);
  const column = (index: number) => turned.values.subarray(index * rows, (index + 1) * rows);
  for (let index = 0; index < columns; index += 1) {
    const current = column(index);
    const length = Math.sqrt(dot(current, current));
    for (let pass = 0; pass < 2; pass += 1) {
      for (let before = 0; before < index; before += 1) {
        const other = column(before);
        const share = dot(other, current);
        for (let i = 0; i < rows; i += 1) current[i] = (current[i] as number) - share * (other[i] as number);
      }
    }
    const rest = Math.sqrt(dot(current, current));
    const scale = rest <= length * dependentShare ? 0 : 1 / rest;
    for (let i = 0; i < rows; i += 1) current[i] = (current[i] as number) * scale;
  }
  return transpose(turned);
}

/** Four sums side by side: one alone waits for itself at every step. */
function dot(a: Float64Array, b: Float64Array): number {
  let s = 0;
  let t = 0;
  let u = 0;
  let v = 0;
  let i = 0;
  for (const end = a.length - 3; i < end; i += 4) {
    s += (a[i] as number) * (b[i] as number);
    t += (a[i + 1] as number) * (b[i + 1] as number);
    u += (a[i + 2] as number) * (b[i + 2] as number);
    v += (a[i + 3] as number) * (b[i + 3] as number);
  }
  for (; i < a.length; i += 1) s += (a[i] as number) * (b[i] as number);
  return s + t + (u + v);
}
