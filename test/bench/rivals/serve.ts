import { Socket } from "node:net";
import { createInterface } from "node:readline";
import type { RivalAnswer, RivalRequest } from "./rival.ts";

/** Serves a rival's requests in this process until its standard input ends: see rival.ts. */
export async function serve(
  encode: (texts: readonly string[], batchTexts: number) => Promise<number[][]>,
): Promise<void> {
  const answers = new Socket({ fd: 3, readable: false, writable: true });
  answers.write("ready\n");
  for await (const line of createInterface({ input: process.stdin })) {
    const { texts, batchTexts } = JSON.parse(line) as RivalRequest;
    const start = performance.now();
    const vectors = await encode(texts, batchTexts);
    const seconds = (performance.now() - start) / 1_000;
    answers.write(`${JSON.stringify({ seconds, vectors } satisfies RivalAnswer)}\n`);
  }
}
