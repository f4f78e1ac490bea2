import { InferenceSession, Tensor } from "onnxruntime-node";

/** What a bag's graph gives for rows of [id, weight, ...] pairs, in one batch; not scaled to unit length. */
export async function runBag(
  model: Uint8Array,
  rows: readonly Float32Array[],
  dimensions: number,
): Promise<Float32Array[]> {
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const width = Math.max(1, ...rows.map((row) => row.length / 2));
  const ids = new BigInt64Array(rows.length * width);
  const weights = new Float32Array(rows.length * width);
  for (const [row, pairs] of rows.entries()) {
    for (let pair = 0; pair < pairs.length / 2; pair += 1) {
      ids[row * width + pair] = BigInt(pairs[2 * pair] as number);
      weights[row * width + pair] = pairs[2 * pair + 1] as number;
    }
  }
  const { embedding } = await session.run({
    ids: new Tensor("int64", ids, [rows.length, width]),
    weights: new Tensor("float32", weights, [rows.length, width]),
  });
  const values = embedding?.data as Float32Array;
  await session.release();
  return rows.map((_, row) => values.slice(row * dimensions, (row + 1) * dimensions));
}
