import {
  type Clock,
  type Collection,
  type Lanes,
  MedleyError,
  type RecordEnvelope,
  VersionClock,
  versionAt,
} from "@medley/core";
import { checkInputs, deadLetterOfRejection, type Input, pipelineCounters, send } from "@medley/pipeline";
import type { Life } from "./host.ts";
import type { Judge } from "./judge.ts";
import { type PlannedClient, type PlannedInput, type PlannedRun, settledNone } from "./scenario.ts";
import type { SimulatedStore } from "./store.ts";

/** When the simulated time begins, milliseconds since 1970. */
const beginMs = 1_700_000_000_000;

export interface ProducerParts {
  readonly life: Life;
  readonly judge: Judge;
  readonly collection: Collection;
  readonly lanes: Lanes;
  readonly backlogPacketsMax: number;
}

/** The program of a producer: what `medley` does with a posted batch. */
export class Producer {
  readonly #parts: ProducerParts;
  readonly #ports;

  constructor(parts: ProducerParts) {
    this.#parts = parts;
    const { life, lanes, backlogPacketsMax } = parts;
    const clock: Clock = { nowMs: () => beginMs + life.world.nowMs + life.host.skewMs };
    const counters = pipelineCounters();
    this.#ports = { lanes, backlogPacketsMax, counters, versions: new VersionClock(clock) };
  }

  /** Resolves when all are durable, with what they became. */
  async ingest(inputs: readonly Input[]): Promise<readonly RecordEnvelope[]> {
    const { judge, collection } = this.#parts;
    const { envelopes, rejected } = checkInputs(this.#ports, collection, inputs);
    if (rejected.length > 0) throw new Error(`a client sent what is invalid: ${rejected[0]?.message}`);
    judge.attempt(envelopes);
    await send(this.#ports, collection, envelopes);
    judge.accept(envelopes);
    return envelopes;
  }

  /** One chunk of a backfill, as `medley backfill` sends it. */
  async sendChunk(
    store: ReturnType<SimulatedStore["openFor"]>,
    run: PlannedRun,
    at: { chunk: number; position: number },
  ): Promise<void> {
    const { judge, collection, life } = this.#parts;
    const { runId } = run;
    const baseVersion = versionAt(beginMs + run.startMs);
    const values = run.chunks[at.chunk] as PlannedRun["chunks"][number];
    const inputs = values.map((value, index): Input => {
      const place = at.position + index;
      return { value, source: `${runId}:${place}`, textual: false, version: baseVersion + BigInt(place) };
    });
    const { envelopes, rejected } = checkInputs(this.#ports, collection, inputs);
    const letters = rejected.map((rejection) => {
      const { value, source } = inputs[rejection.index] as Input;
      const payload = Buffer.from(JSON.stringify(value));
      return deadLetterOfRejection(rejection, { source, payload }, { collection: collection.name, runId });
    });
    const chunk = { runId, chunk: at.chunk, settled: { ...settledNone, deadLetters: letters.length } };
    judge.attempt(envelopes);
    judge.attemptChunk(
      chunk,
      inputs.length,
      letters.map(({ source }) => source),
    );
    if (letters.length > 0) await store.addDeadLetters(letters);
    for (;;) {
      try {
        await send(this.#ports, collection, envelopes, chunk);
        break;
      } catch (error) {
        if (!(error instanceof MedleyError && error.code === "overloaded")) throw error;
        await life.sleep(overloadPauseMs);
      }
    }
    judge.accept(envelopes);
  }
}

const overloadPauseMs = 200;

/** The program of a backfill: begins after the last chunk that is known to be sent; calls `onSent` when all are. */
export async function runBackfill(
  producer: Producer,
  life: Life,
  store: ReturnType<SimulatedStore["openFor"]>,
  { run, onSent }: { run: PlannedRun; onSent: () => void },
): Promise<void> {
  await life.sleep(Math.max(run.startMs - life.world.nowMs, 0));
  const sent = await store.readRun(run.runId);
  let position = run.chunks.slice(0, sent).reduce((sum, chunk) => sum + chunk.length, 0);
  for (let chunk = sent; chunk < run.chunks.length; chunk += 1) {
    await producer.sendChunk(store, run, { chunk, position });
    position += (run.chunks[chunk] as PlannedRun["chunks"][number]).length;
    await store.advanceRun(run.runId, chunk + 1);
  }
  onSent();
}

const retryMsMax = 2_000;
const answerMsMax = 8_000;

export interface ClientParts {
  /** Of the client, which never fails. */
  readonly life: Life;
  readonly plan: PlannedClient;
  /** Any producer that runs; null: there is none just now. */
  readonly anyProducer: () => { readonly life: Life; readonly producer: Producer } | null;
}

/** Posts all batches in turn, each until a producer has accepted it. An answer that does not come is no answer: it posts again. */
export async function runClient({ life, plan, anyProducer }: ClientParts): Promise<void> {
  const { world } = life;
  const accepted: RecordEnvelope[] = [];
  const inputs: PlannedInput[] = [];
  for (const batch of plan.batches) {
    await life.sleep(world.chance.next() * plan.pauseMsMax);
    inputs.push(...batch);
    const posted = batch.map((input) => inputOf(input, inputs, accepted));
    for (;;) {
      const envelopes = await post(life, anyProducer(), posted);
      if (envelopes !== null) {
        accepted.push(...envelopes);
        break;
      }
      await life.sleep(world.chance.next() * retryMsMax);
    }
  }
}

/** An input sent before comes with the version it was given then, where its producer has said so. */
function inputOf(
  { value, replayOf }: PlannedInput,
  inputs: readonly PlannedInput[],
  accepted: readonly RecordEnvelope[],
): Input {
  if (replayOf === null) return { value, source: "client", textual: false };
  let original = replayOf;
  while (inputs[original]?.replayOf !== null) original = inputs[original]?.replayOf as number;
  const earlier = accepted[original];
  const given = inputs[original]?.value as PlannedInput["value"];
  return { value: given, source: "client", textual: false, ...(earlier && { version: earlier.version }) };
}

function post(
  client: Life,
  target: ReturnType<ClientParts["anyProducer"]>,
  inputs: readonly Input[],
): Promise<readonly RecordEnvelope[] | null> {
  const { world } = client;
  const { promise, resolve } = Promise.withResolvers<readonly RecordEnvelope[] | null>();
  const answer = (envelopes: readonly RecordEnvelope[] | null) =>
    world.after(world.chance.latencyMs(1), client, () => resolve(envelopes));
  if (target === null) {
    answer(null);
    return promise;
  }
  const cancelTimeout = world.after(answerMsMax, client, () => resolve(null));
  world.after(world.chance.latencyMs(1), target.life, () => {
    target.producer.ingest(inputs).then(answer, (error) => {
      if (error instanceof MedleyError && error.retryable) answer(null);
      else world.violate("P1", `a valid batch was refused for good: ${error}`);
    });
  });
  return promise.finally(cancelTimeout);
}
