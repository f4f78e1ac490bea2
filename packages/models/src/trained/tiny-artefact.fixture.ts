import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { emptyLock, type LockedArtefact, type ModelLock } from "../artefact/lock.ts";
import { encodeOnnx, nodeOf, onnxTypes, tensorOf, valueInfoOf } from "../onnx/index.ts";
import type { FeaturesManifest } from "./features.ts";
import { encodeManifest, manifestFile, modelFile } from "./manifest.ts";
import { artefactsFolder } from "./trained-model.ts";

const axis = (name: string, value: bigint) => tensorOf(name, [1], BigInt64Array.of(value));

/** `embedding` = sum over k of weights_k x table[ids_k]. */
export function bagModel(table: readonly (readonly number[])[]): Uint8Array {
  const dimensions = (table[0] as readonly number[]).length;
  return encodeOnnx({
    irVersion: 9,
    opsetImport: [{ version: 18n }],
    graph: {
      name: "bag",
      node: [
        nodeOf("Gather", ["table", "ids"], "rows"),
        nodeOf("Unsqueeze", ["weights", "last"], "factors"),
        nodeOf("Mul", ["rows", "factors"], "weighted"),
        nodeOf("ReduceSum", ["weighted", "middle"], "embedding", [{ name: "keepdims", type: 2, i: 0n }]),
      ],
      initializer: [
        tensorOf("table", [table.length, dimensions], Float32Array.from(table.flat())),
        axis("last", 2n),
        axis("middle", 1n),
      ],
      input: [
        valueInfoOf("ids", { dataType: onnxTypes.int64, dims: ["batch", "width"] }),
        valueInfoOf("weights", { dataType: onnxTypes.float32, dims: ["batch", "width"] }),
      ],
      output: [valueInfoOf("embedding", { dataType: onnxTypes.float32, dims: ["batch", dimensions] })],
    },
  });
}

/** `embedding` = values x 2 + times, of two inputs of three numbers each. */
export function tensorsModel(): Uint8Array {
  const type = { dataType: onnxTypes.float32, dims: ["batch", 3] };
  return encodeOnnx({
    irVersion: 9,
    opsetImport: [{ version: 18n }],
    graph: {
      name: "tensors",
      node: [
        nodeOf("Add", ["values", "values"], "doubled"),
        nodeOf("Add", ["doubled", "times"], "embedding"),
      ],
      initializer: [],
      input: [valueInfoOf("values", type), valueInfoOf("times", type)],
      output: [valueInfoOf("embedding", type)],
    },
  });
}

/** Writes an artefact beside the lock, and the lock that pins it. */
export async function writeArtefact(
  lockFile: string,
  space: string,
  {
    run = "run-1",
    manifest,
    files,
  }: { run?: string; manifest: FeaturesManifest; files: Record<string, Uint8Array> },
): Promise<ModelLock> {
  const directory = join(artefactsFolder(lockFile, space), run);
  const pin = (bytes: Uint8Array) => ({
    sha256: createHash("sha256").update(bytes).digest("hex"),
    bytes: bytes.length,
  });
  const listed = Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, pin(bytes)]));
  const text = new TextEncoder().encode(encodeManifest(manifest, { run, files: listed }));
  for (const [path, bytes] of Object.entries({ ...files, [manifestFile]: text })) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
  }
  const artefact: LockedArtefact = { run, files: { ...listed, [manifestFile]: pin(text) } };
  return { ...emptyLock, file: lockFile, trained: { [space]: artefact } };
}

/** A node2vec artefact of three nodes in two dimensions. */
export function tinyNode2vec() {
  const table = [
    [1, 0],
    [0, 2],
    [-3, -3],
  ];
  return {
    manifest: { kind: "node2vec", dimensions: 2 } as FeaturesManifest,
    files: {
      [modelFile]: bagModel(table),
      "nodes.json": new TextEncoder().encode(JSON.stringify(["a", "b", "c"])),
    },
  };
}
