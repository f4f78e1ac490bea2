import { setTimeout as sleep } from "node:timers/promises";
import { readAudioModel } from "../artefact/audio-model.ts";
import { SessionThread } from "./thread.ts";

// A process that ends session threads while their model computes; prints how many, and ends well where that did it no harm.
const model = await readAudioModel("ge2e-voice", {}, { output: undefined, secondsMax: undefined });
const samples = Int32Array.of(16_000 * 30);
const rows = {
  values: new Float32Array(samples[0] as number).map((_, n) => Math.sin(n / 7)),
  lengths: samples,
};
let ended = 0;
for (const pauseMs of [5, 30, 80, 150]) {
  const thread = new SessionThread(new URL("./session-thread.ts", import.meta.url));
  await thread.ask({ kind: "open", model, device: "cpu" });
  const run = thread.ask({ kind: "run", model: model.identity, rows }).catch(() => (ended += 1));
  await sleep(pauseMs);
  thread.terminate();
  await run;
  await thread.exited(20_000);
}
process.stdout.write(`${ended} ended`);
