import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import type { Device } from "@medley/models";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { foldFactors } from "./fold-factors.ts";
import { gradients } from "./gradients/gradients.ts";
import type { Graph } from "./graph.ts";
import { type AdamW, type Carried, scalarNames, stepScalars, updateByAdamW } from "./optimiser.ts";
import { sameShape, sizeOf } from "./shape.ts";
import type { Value } from "./value.ts";

/** Values of a batch by the names of the graph's inputs, row-major. */
export type Batch = Readonly<Record<string, Float32Array | BigInt64Array>>;

export interface TrainingStepOptions {
  readonly optimiser?: AdamW;
  /** Default 1. */
  readonly threads?: number;
  /** Execution provider; what it can't do runs on the CPU. Default `cpu`. */
  readonly device?: Device | undefined;
  /** Scalars to have beside the loss, by name. */
  readonly metrics?: Readonly<Record<string, Value>>;
  /**
   * Another step whose state this one works on: the same parameters and optimiser, other shapes of a batch. Either may take the
   * next step; both are closed.
   */
  readonly sharing?: TrainingStep;
}

export interface StepResult {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** A tensor as checkpoints keep it. */
export interface StateTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

const lossOutput = "loss";
const stepsTaken = "steps-taken";

/** What a step reads and writes: in two buffers per tensor, by name. Shared by the steps of one training. */
class State {
  current: ReadonlyMap<string, Tensor>;
  other: ReadonlyMap<string, Tensor>;
  steps = 0;

  constructor(carried: readonly Carried[]) {
    this.current = buffers(carried, ({ initial }) => initial.slice());
    this.other = buffers(carried, ({ initial }) => new Float32Array(initial.length));
  }

  turn(): void {
    this.steps += 1;
    [this.current, this.other] = [this.other, this.current];
  }

  /** Whether these are the tensors that it holds. */
  fits(carried: readonly Carried[]): boolean {
    const sameTensor = ({ value }: Carried) =>
      sameShape(this.current.get(value.name)?.dims ?? [-1], value.shape);
    return carried.length === this.current.size && carried.every(sameTensor);
  }
}

/**
 * A graph's training step in ONNX Runtime: forward pass, backward pass and update are one run. Parameters, moments and carried
 * states lie in two buffers each, from one of which a step reads while it writes the other; nothing is allocated or copied
 * between steps. Not for two callers at once. `close` frees the session.
 *
 * `create` throws `training_unsupported` where the graph can't be differentiated or run.
 */
export class TrainingStep implements AsyncDisposable {
  readonly #session: InferenceSession;
  readonly #graph: Graph;
  readonly #carried: readonly Carried[];
  readonly #optimiser: AdamW;
  readonly #state: State;
  readonly #metricNames: readonly string[];

  private constructor(
    session: InferenceSession,
    graph: Graph,
    carried: readonly Carried[],
    { optimiser = {}, metrics = {}, sharing }: TrainingStepOptions,
  ) {
    this.#session = session;
    this.#graph = graph;
    this.#carried = carried;
    this.#optimiser = optimiser;
    this.#metricNames = Object.keys(metrics);
    this.#state = sharing === undefined ? new State(carried) : sharing.#state;
    assert(this.#state.fits(carried), "steps that share a state have the same parameters");
  }

  /** `graph` gets the backward pass and the update; it can't be used for anything else afterwards. */
  static async create(graph: Graph, loss: Value, options: TrainingStepOptions = {}): Promise<TrainingStep> {
    const { threads = 1, device = "cpu", optimiser, metrics = {} } = options;
    const parameters = [...graph.parameters];
    assert(parameters.length > 0, "something to train");
    const states = [...graph.states.values()].map(({ value, next, initial }): Carried => {
      assert(next, `${value.name} is not carried`);
      return { value, next, initial };
    });
    foldFactors(graph, [loss, ...Object.values(metrics), ...states.map(({ next }) => next)]);
    const found = gradients(
      graph,
      loss,
      parameters.map(([, { value }]) => value),
    );
    const byName = new Map(parameters.map(([name], at) => [name, found[at] as Value]));
    const update = updateByAdamW(graph, byName, optimiser);
    const carried = [...update.carried, ...states];
    const outputs = new Map<string, Value>([[lossOutput, loss], ...Object.entries(metrics)]);
    for (const { value, next } of carried) outputs.set(nextName(value), next);
    const inputs = [...carried.map(({ value }) => value), ...update.scalars];
    const bytes = graph.model(outputs, inputs);
    const session = await createSession(bytes, { threads, device });
    return new TrainingStep(session, graph, carried, options);
  }

  /** Steps taken since the beginning, those before a restored checkpoint included. */
  get steps(): number {
    return this.#state.steps;
  }

  /** One step on one batch; gives the loss before the update. A loss that is no number throws `training_diverged`. */
  async train(batch: Batch, learningRate: number): Promise<StepResult> {
    const feeds: Record<string, Tensor> = Object.fromEntries(this.#state.current);
    for (const { name, shape, type } of this.#graph.inputs) {
      const data = batch[name];
      assert(data, `the batch has ${name}`);
      assert.equal(data.length, sizeOf(shape), `${name} is [${shape}]`);
      assert.equal(type, data instanceof Float32Array ? "float32" : "int64", `${name} is ${type}`);
      feeds[name] = new Tensor(type as "float32", data as Float32Array, shape);
    }
    const scalars = stepScalars(this.#state.steps + 1, learningRate, this.#optimiser);
    for (const name of scalarNames) feeds[name] = new Tensor("float32", Float32Array.of(scalars[name]), []);
    const fetches: Record<string, Tensor | null> = { [lossOutput]: null };
    for (const name of this.#metricNames) fetches[name] = null;
    for (const { value } of this.#carried)
      fetches[nextName(value)] = this.#state.other.get(value.name) as Tensor;
    const results = await this.#session.run(this.#taken(feeds), fetches);
    const loss = numberOf(results[lossOutput]);
    if (!Number.isFinite(loss)) {
      throw new MedleyError("training_diverged", `the loss of step ${this.#state.steps + 1} is ${loss}`, {
        mend: "use a lower learning rate, or look for values in the data that are out of all proportion",
      });
    }
    this.#state.turn();
    const metrics = Object.fromEntries(this.#metricNames.map((name) => [name, numberOf(results[name])]));
    return { loss, metrics };
  }

  /** Parameters and carried states by name, as they are now: what a graph that serves is built from. A copy. */
  trained(): Map<string, Float32Array> {
    const names = [...this.#graph.parameters.keys(), ...this.#graph.states.keys()];
    return new Map(names.map((name) => [name, floats(this.#state.current.get(name)).slice()]));
  }

  /** All that the next step depends on, as it is now. A copy. */
  state(): Map<string, StateTensor> {
    const tensors = [...this.#state.current].map(([name, tensor]): [string, StateTensor] => [
      name,
      { dims: tensor.dims, data: floats(tensor).slice() },
    ]);
    return new Map([...tensors, [stepsTaken, { dims: [], data: Float32Array.of(this.#state.steps) }]]);
  }

  /** Goes on from what `state` gave. */
  restore(state: ReadonlyMap<string, StateTensor>): void {
    for (const [name, tensor] of this.#state.current) {
      const { data } = state.get(name) ?? {};
      assert.equal(data?.length, tensor.size, `the state has ${name}`);
      floats(tensor).set(data as Float32Array);
    }
    this.#state.steps = state.get(stepsTaken)?.data[0] ?? 0;
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The graph leaves out inputs that nothing needs; the session refuses what it does not know. */
  #taken(feeds: Record<string, Tensor>): Record<string, Tensor> {
    return Object.fromEntries(
      this.#session.inputNames.map((name) => {
        assert(feeds[name], `${name} is given`);
        return [name, feeds[name]];
      }),
    );
  }
}

async function createSession(
  bytes: Uint8Array,
  { threads, device }: { threads: number; device: Device },
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      // A plan of all buffers is a second copy of them beside those of the first step.
      enableMemPattern: false,
      graphOptimizationLevel: "all",
      logSeverityLevel: 4,
      // A step is hundreds of short operations, one after the other: threads that sleep in between come late to each.
      extra: { session: { intra_op: { allow_spinning: "1" } } },
    });
  } catch (cause) {
    throw new MedleyError(
      "training_unsupported",
      `ONNX Runtime refuses the training step: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

function buffers(carried: readonly Carried[], fill: (carried: Carried) => Float32Array): Map<string, Tensor> {
  return new Map(
    carried.map((each) => [each.value.name, new Tensor("float32", fill(each), each.value.shape)]),
  );
}

function nextName(value: Value): string {
  return `${value.name}/next`;
}

function floats(tensor: Tensor | undefined): Float32Array {
  assert(tensor?.data instanceof Float32Array, "a tensor of floats");
  return tensor.data;
}

function numberOf(value: unknown): number {
  return floats(value as Tensor)[0] as number;
}
