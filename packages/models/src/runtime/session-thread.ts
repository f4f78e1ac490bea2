import { strict as assert } from "node:assert";
import { parentPort } from "node:worker_threads";
import { MedleyError } from "@medley/core";
import { openSession } from "./open-session.ts";
import type { Answers, Failure, Job, Reply, Request } from "./protocol.ts";
import type { RunAnswer, Session } from "./session.ts";

/** The program of a session thread: jobs one after the other, in the order in which they come. */
const sessions = new Map<string, Session<unknown>>();

async function answer(job: Job): Promise<Answers[Job["kind"]]> {
  if (job.kind === "start") return null;
  if (job.kind === "open") {
    sessions.set(job.model.identity, (await openSession(job.model, job.device)) as Session<unknown>);
    return null;
  }
  const session = sessions.get(job.model);
  assert(session !== undefined, `a ${job.kind} job came before its model was opened`);
  if (job.kind === "query") return answerQuery(session, job.input);
  return job.kind === "prepare" ? session.prepare(job.inputs, "passage") : session.run(job.rows);
}

async function answerQuery(session: Session<unknown>, input: unknown): Promise<RunAnswer | null> {
  const { values, lengths, failures } = await session.prepare([input], "query");
  const [failure] = failures;
  if (failure !== undefined) {
    throw new MedleyError(
      "query_invalid",
      failure.message,
      failure.mend === undefined ? {} : { mend: failure.mend },
    );
  }
  return lengths[0] === 0 ? null : session.run({ values, lengths });
}

function failureOf(error: unknown): Failure {
  if (error instanceof MedleyError) return { code: error.code, message: error.message, mend: error.mend };
  return { code: "encoder_failed", message: (error as Error).message, mend: undefined };
}

function transfers(value: Answers[Job["kind"]]): ArrayBuffer[] {
  const arrays = Object.values(value ?? {}).filter((each) => ArrayBuffer.isView(each));
  return arrays.map((array) => array.buffer as ArrayBuffer);
}

assert(parentPort !== null, "session-thread.ts runs as a worker thread");
const port = parentPort;
let turn: Promise<void> = Promise.resolve();
port.on("message", ({ id, job }: Request) => {
  turn = turn.then(async () => {
    try {
      const value = await answer(job);
      port.postMessage({ id, ok: true, value } satisfies Reply, transfers(value));
    } catch (error) {
      port.postMessage({ id, ok: false, failure: failureOf(error) } satisfies Reply);
    }
  });
});
