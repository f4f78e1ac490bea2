import { readFileSync } from "node:fs";
import { workerData } from "node:worker_threads";
import type { Rows } from "@medley/models";
import { feedsOf } from "@medley/models/session";
import { sessionOptions } from "@medley/models/session-options";
import { InferenceSession, type Tensor } from "onnxruntime-node";
import { shareOut } from "./share-out.ts";

export interface BareLoopStart {
  readonly modelPath: string;
  readonly batches: readonly Rows[];
  readonly padId: number;
}

/** Batches of texts through onnxruntime-node, with inputs made beforehand; nothing is pooled. */
const { modelPath, batches, padId } = workerData as BareLoopStart;
const session = await InferenceSession.create(readFileSync(modelPath), sessionOptions);
const feeds = batches.map((batch) => feedsOf(batch, padId, session.inputNames).feeds);

shareOut(batches.length, async (batch) => {
  const { last_hidden_state } = await session.run(feeds[batch] as Record<string, Tensor>);
  return (last_hidden_state as Tensor).data as Float32Array;
});
