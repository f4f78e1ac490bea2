import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { Rows } from "@medley/models";
import { feedsOf } from "@medley/models/session";
import { sessionOptions } from "@medley/models/session-options";
import { InferenceSession, type Tensor } from "onnxruntime-node";

/** What a thread of the bare loop is started with. */
export interface BareLoopStart {
  readonly modelPath: string;
  readonly batches: readonly Rows[];
  readonly padId: number;
  /** One shared int32: the next batch that no thread has taken. */
  readonly next: SharedArrayBuffer;
}

/**
 * A thread of the least that can be done with onnxruntime-node: a loop that takes the next batch and runs it, with
 * inputs made beforehand and outputs thrown away (no pooling). Any message starts a round; the answer is the number
 * of batches it ran. With the message "check" the answer is instead the first token's hidden state of every batch.
 */
const { modelPath, batches, padId, next } = workerData as BareLoopStart;
assert(parentPort !== null);
const port = parentPort;
const session = await InferenceSession.create(readFileSync(modelPath), sessionOptions);
const feeds = batches.map((batch) => feedsOf(batch, padId, session.inputNames).feeds);
const counter = new Int32Array(next);

port.on("message", async (message: "round" | "check") => {
  let ran = 0;
  const hidden: [number, Float32Array][] = [];
  for (let batch = Atomics.add(counter, 0, 1); batch < feeds.length; batch = Atomics.add(counter, 0, 1)) {
    const { last_hidden_state } = await session.run(feeds[batch] as Record<string, Tensor>);
    ran++;
    if (message === "check") hidden.push([batch, (last_hidden_state as Tensor).data.slice() as Float32Array]);
  }
  port.postMessage(message === "check" ? hidden : ran);
});
port.postMessage("ready");
