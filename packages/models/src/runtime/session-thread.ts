import { strict as assert } from "node:assert";
import { parentPort } from "node:worker_threads";
import { MedleyError } from "@medley/core";
import { openSession } from "./open-session.ts";
import type { Answers, Failure, InputAnswer, Job, Reply, Request } from "./protocol.ts";
import type { Role, Session } from "./session.ts";

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
  if (job.kind === "query") return embedOne(session, job.input, "query");
  if (job.kind === "embed") return embedOne(session, job.input, "passage");
  return job.kind === "prepare" ? session.prepare(job.inputs, "passage") : session.run(job.rows);
}

async function embedOne(session: Session<unknown>, input: unknown, role: Role): Promise<InputAnswer> {
  const { values, lengths, failures } = await session.prepare([input], role);
  const [failure] = failures;
  if (failure !== undefined) return { kind: "unreadable", failure };
  if (lengths[0] === 0) return { kind: "empty" };
  return { kind: "ran", ...(await session.run({ values, lengths })) };
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
