import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { encodeOnnx } from "../onnx/index.ts";
import { locateModel } from "./locate.ts";

const copied = [
  "config.json",
  "modules.json",
  "1_Pooling/config.json",
  "sentence_bert_config.json",
  "tokenizer_config.json",
  "tokenizer.json",
];

/** A model that is read and computes nothing. */
export const emptyModel = encodeOnnx({
  irVersion: 8,
  graph: { name: "empty", node: [], initializer: [], input: [], output: [] },
  opsetImport: [{ version: 17n }],
});

/** Bytes or text as they are, other objects as JSON; `null`: no such file. */
export type FileContent = Uint8Array | object | string | null;

/** An empty folder that is removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "medley-models-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/**
 * A copy of the bundled model in a new folder, with some files replaced (`null`: left out). Without a
 * manifest, unless it is given.
 */
export async function modelFolder(
  files: Readonly<Record<string, FileContent>>,
  options: { directory?: string; weights?: boolean } = {},
): Promise<string> {
  const { directory: bundled, modelFile } = await locateModel("all-MiniLM-L6-v2", {});
  const directory = options.directory ?? (await temporaryFolder());
  const put = async (name: string, from: FileContent | undefined): Promise<void> => {
    if (from === null) return;
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    if (from === undefined) await copyFile(join(bundled, name), path);
    else {
      const bytes = typeof from === "string" || from instanceof Uint8Array ? from : JSON.stringify(from);
      await writeFile(path, bytes);
    }
  };
  for (const name of new Set([...copied, ...Object.keys(files)])) await put(name, files[name]);
  if (!(modelFile in files)) await put(modelFile, options.weights ? undefined : emptyModel);
  return directory;
}
