import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { Model } from "../artefact/model.ts";
import { temporaryFolder } from "../artefact/model-folder.fixture.ts";
import { isThreadLoss } from "./thread.ts";
import { ThreadPool } from "./thread-pool.ts";

/**
 * A thread whose jobs are small programs: the text of a query is evaluated with `answer(value)`. A file's presence
 * serves as memory across threads.
 */
function pool(options: { threads?: number; onStart?: string; memoryBytesMax?: number } = {}): ThreadPool {
  const source = `
    import { existsSync, writeFileSync, unlinkSync } from "node:fs";
    import { parentPort, threadId } from "node:worker_threads";
    ${options.onStart ?? ""};
    parentPort.on("message", async ({ id, job }) => {
      const answer = (value) => parentPort.postMessage({ id, ok: true, value });
      if (job.kind === "query") await eval("(async () => {" + job.input + "})()");
      else answer(job.kind === "prepare" ? job.inputs : null);
    });`;
  const program = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const { threads = 1, memoryBytesMax } = options;
  return new ThreadPool({
    threads,
    jobsMax: 100,
    program,
    ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
  });
}

const model = { identity: "m" } as Model;
const query = (text: string) => ({ kind: "query", model: "m", input: text }) as const;
const prepare = (input: string) => ({ kind: "prepare", model: "m", inputs: [input] }) as const;
/** The name of a file that is not there yet, as JavaScript source. */
async function absentFile(): Promise<string> {
  return JSON.stringify(join(await temporaryFolder(), "mark"));
}

test("a job whose thread dies under it is done by the next thread", async () => {
  const threads = pool();
  await threads.open(model);
  const before = await threads.run(query("answer(threadId)"));
  const mark = await absentFile();
  const diesOnce = `if (existsSync(${mark})) { unlinkSync(${mark}); answer(threadId); }
    else { writeFileSync(${mark}, ""); process.exit(1); }`;
  const after = await threads.run(query(diesOnce));
  expect(after).not.toEqual(before);
  await threads.close();
});

test("a job that takes down two threads fails as passing; others go on", async () => {
  const threads = pool();
  await threads.open(model);
  const [deadly, harmless] = await Promise.allSettled([
    threads.run(query("process.exit(1)")),
    threads.run(query("answer('well')")),
  ]);
  expect(deadly).toMatchObject({ status: "rejected", reason: { code: "encoder_unavailable" } });
  expect(harmless).toEqual({ status: "fulfilled", value: "well" });
  expect(await threads.run(query("answer('still')"))).toBe("still");
  await threads.close();
});

test("an uncaught error in a thread is told", async () => {
  const threads = pool();
  await threads.open(model);
  const throws = threads.run(query("setTimeout(() => { throw new Error('out of luck') })"));
  await expect(throws).rejects.toThrow("out of luck");
  await threads.close();
});

test("a thread that can't start fails the opening, and a later opening may succeed", async () => {
  const mark = await absentFile();
  const threads = pool({ threads: 2, onStart: `if (!existsSync(${mark})) process.exit(1)` });
  await expect(threads.open(model)).rejects.toMatchObject({ code: "encoder_unavailable" });
  await writeFile(JSON.parse(mark), "");
  await threads.open(model);
  expect(await threads.run(query("answer(1)"))).toBe(1);
  await threads.close();
});

test("while no thread can be started all work fails as passing, instead of waiting for ever", async () => {
  const mark = await absentFile();
  const threads = pool({ onStart: `if (existsSync(${mark})) process.exit(1)` });
  await threads.open(model);
  const jobs = [
    threads.run(query(`writeFileSync(${mark}, ""); process.exit(1)`)),
    threads.run(query("answer(1)")),
  ];
  for (const job of await Promise.allSettled(jobs)) {
    expect(job).toMatchObject({ status: "rejected", reason: { code: "encoder_unavailable" } });
  }
  await expect(threads.run(query("answer(1)"))).rejects.toMatchObject({ code: "encoder_unavailable" });
  await threads.close();
});

test("queries go first, then preparing", async () => {
  const threads = pool();
  await threads.open(model);
  const order: string[] = [];
  const note = (name: string) => () => order.push(name);
  await Promise.all([
    threads.run(query("await new Promise((go) => setTimeout(go, 20)); answer(0)")).then(note("running")),
    threads
      .run({ kind: "run", model: "m", rows: { values: new Int32Array(1), lengths: new Int32Array(1) } })
      .then(note("run")),
    threads.run(prepare("a")).then(note("prepare")),
    threads.run(query("answer(0)")).then(note("query")),
  ]);
  expect(order).toEqual(["running", "query", "prepare", "run"]);
  await threads.close();
});

test("a job that waits is left out when its caller gives up", async () => {
  const threads = pool();
  await threads.open(model);
  const giveUp = new AbortController();
  const first = threads.run(query("await new Promise((go) => setTimeout(go, 20)); answer('first')"));
  const second = threads.run(query("answer('second')"), giveUp.signal);
  giveUp.abort(new Error("enough"));
  await expect(second).rejects.toThrow("enough");
  expect(threads.waiting).toBe(0);
  expect(await first).toBe("first");
  await threads.close();
});

test("closing waits for what was begun, and takes nothing new", async () => {
  const threads = pool({ threads: 2 });
  await threads.open(model);
  const jobs = Array.from({ length: 10 }, (_, i) => threads.run(query(`setTimeout(() => answer(${i}), 5)`)));
  const closed = threads.close();
  await expect(threads.run(query("answer(1)"))).rejects.toMatchObject({ code: "encoder_unavailable" });
  expect(await Promise.all(jobs)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await closed;
  await expect(threads.open({ ...model, identity: "n" })).rejects.toMatchObject({
    code: "encoder_unavailable",
  });
});

test("a pool that never opened a model closes", async () => {
  await pool().close();
});

test("a thread that hangs is replaced, and its job done by another within two seconds", async () => {
  const threads = pool({ threads: 2 });
  await threads.open(model);
  for (let i = 0; i < 4; i++) await threads.run(query("answer(threadId)")); // So that it is known how long they take.
  const mark = await absentFile();
  const startedMs = performance.now();
  const hangsOnce = `if (existsSync(${mark})) answer(threadId);
    else { writeFileSync(${mark}, ""); while (true); }`;
  const neighbours = [1, 2, 3].map((value) => threads.run(query(`answer(${value})`)));
  expect(await threads.run(query(hangsOnce))).toEqual(expect.any(Number));
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  expect(await Promise.all(neighbours)).toEqual([1, 2, 3]);
  await threads.close();
});

test("a job that hangs wherever it runs fails as lost threads; others go on", async () => {
  const threads = pool();
  await threads.open(model);
  await threads.run(query("answer(0)"));
  const failure = await threads.run(query("while (true);")).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "encoder_unavailable" });
  expect((failure as Error).message).toMatch(/gave no answer for \d+ ms/);
  expect(isThreadLoss(failure)).toBe(true);
  expect(await threads.run(query("answer('still')"))).toBe("still");
  await threads.close();
});

/** Holds the memory that loading it takes, in MB. */
function heavy(identity: string, megabytes: number): Model {
  return { identity, megabytes } as unknown as Model;
}
const loadsMemory = `globalThis.held = [];
  const { Buffer } = await import("node:buffer");
  parentPort.on("message", ({ job }) => {
    if (job.kind === "open") held.push(Buffer.alloc(job.model.megabytes * 2 ** 20, 1));
  })`;

test("models are packed into the memory there is: every one has a thread, what is left takes copies", async () => {
  const threads = pool({ threads: 3, memoryBytesMax: 500 * 2 ** 20, onStart: loadsMemory });
  await threads.open(heavy("large", 300));
  await threads.open(heavy("m", 60));
  await threads.open(heavy("larger", 400));
  expect(threads.threadsWith("large")).toBe(1);
  expect(threads.threadsWith("m")).toBe(3);
  expect(threads.threadsWith("larger")).toBe(1);
  expect(await threads.run(query("answer('done')"))).toBe("done");
  await threads.close();
});

test("a model that is unloaded is in no thread, and the memory is free for others", async () => {
  const threads = pool({ threads: 2, memoryBytesMax: 400 * 2 ** 20, onStart: loadsMemory });
  await threads.open(heavy("m", 1));
  await threads.open(heavy("large", 150));
  expect(threads.threadsWith("large")).toBe(2);
  const before = await threads.run(query("answer(threadId)"));
  await threads.unload("large");
  expect(threads.threadsWith("large")).toBe(0);
  expect(await threads.run(query("answer(threadId)"))).not.toBe(before);
  await expect(threads.run({ kind: "query", model: "large", input: "answer(1)" })).rejects.toMatchObject({
    code: "encoder_unavailable",
  });
  await threads.open(heavy("large", 150));
  expect(threads.threadsWith("large")).toBe(2);
  await threads.close();
});

// It took the process with it: an exception of ONNX Runtime's in a thread that may run no more JavaScript.
test("a thread that is ended while its model computes ends alone", async () => {
  const program = new URL("./terminate-in-native.fixture.ts", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [program]);
  expect(stdout).toBe("4 ended");
});
