import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../artefact/model-folder.fixture.ts";
import { readSafetensors } from "./safetensors.ts";

async function fileOf(header: object, data: Uint8Array) {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const bytes = Buffer.concat([length, json, data]);
  const path = join(await temporaryFolder(), "model.safetensors");
  await writeFile(path, bytes);
  return { path, sha256: createHash("sha256").update(bytes).digest("hex") };
}

test("single, half and brain floats are read, in the order of the header's offsets", async () => {
  const data = Buffer.concat([
    Buffer.from(Float32Array.of(1.5, -2).buffer),
    Buffer.from([0x00, 0x3e, 0x00, 0xc0]), // float16 1.5, -2
    Buffer.from([0xc0, 0x3f, 0x00, 0xc0]), // bfloat16 1.5, -2
  ]);
  const header = {
    __metadata__: { format: "pt" },
    brain: { dtype: "BF16", shape: [1, 2], data_offsets: [12, 16] },
    single: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
    half: { dtype: "F16", shape: [2, 1], data_offsets: [8, 12] },
  };
  const tensors = readSafetensors(await fileOf(header, data));
  expect([...tensors.keys()].sort()).toEqual(["brain", "half", "single"]);
  for (const { values } of tensors.values()) expect([...values]).toEqual([1.5, -2]);
  expect(tensors.get("brain")?.shape).toEqual([1, 2]);
});

test.for([
  ["another type", { w: { dtype: "I64", shape: [1], data_offsets: [0, 8] } }, "I64"],
  ["too few bytes", { w: { dtype: "F32", shape: [3], data_offsets: [0, 8] } }, "[3] does not fill"],
  ["bytes past the end", { w: { dtype: "F32", shape: [4], data_offsets: [0, 16] } }, "does not fill"],
] as const)("%s: damaged", async ([, header, words]) => {
  const file = await fileOf(header, new Uint8Array(8));
  expect(() => readSafetensors(file)).toThrow(
    expect.objectContaining({ code: "model_damaged", message: expect.stringContaining(words) }),
  );
});

test("what is no safetensors file, or changed since it was pinned", async () => {
  const path = join(await temporaryFolder(), "model.safetensors");
  await writeFile(path, "no such thing");
  const sha256 = createHash("sha256").update("no such thing").digest("hex");
  expect(() => readSafetensors({ path, sha256 })).toThrow("is no safetensors file");
  expect(() => readSafetensors({ path, sha256: "00" })).toThrow("expected sha256 00");
});
