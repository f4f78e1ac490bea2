import { strict as assert } from "node:assert";
import { parentPort, workerData } from "node:worker_threads";

/** Answers what `BareThreads` asks, with `work` on each piece that no other thread has taken. */
export function shareOut<Checked>(pieces: number, work: (piece: number) => Promise<Checked>): void {
  assert(parentPort !== null);
  const port = parentPort;
  const counter = new Int32Array((workerData as { next: SharedArrayBuffer }).next);
  port.on("message", async (message: "round" | "check") => {
    let done = 0;
    const checked: [number, Checked][] = [];
    for (let piece = Atomics.add(counter, 0, 1); piece < pieces; piece = Atomics.add(counter, 0, 1)) {
      const result = await work(piece);
      done++;
      if (message === "check") checked.push([piece, result]);
    }
    port.postMessage(message === "check" ? checked : done);
  });
  port.postMessage("ready");
}
