import { pipelineCounters } from "@medley/pipeline";
import { openPostgresStore, readReaders } from "@medley/store";
import { runCarriers } from "../deployment/carriers.ts";
import { runRefreshes } from "../deployment/refreshes.ts";
import type { StageFailure } from "../deployment/stages.ts";
import type { GenerationChange } from "./generation-change.ts";

export interface OwnCarriersOptions {
  readonly generation: number;
  /** Closed with it. */
  readonly resources: AsyncDisposableStack;
  readonly onFault: (failure: StageFailure) => void;
}

// Of the batches in hand.
const graceMs = 2_000;

/** Carries rows in this process from when no other does. States: others carry -> carrying, until its resources are closed. */
export class OwnCarriers {
  readonly #change: GenerationChange;
  readonly #options: OwnCarriersOptions;
  #isCarrying = false;

  constructor(change: GenerationChange, options: OwnCarriersOptions) {
    this.#change = change;
    this.#options = options;
  }

  /** To be asked again and again: whoever carries may end. */
  async startWhereNobodyCarries(): Promise<void> {
    if (this.#isCarrying || (await this.#othersCarry())) return;
    const { pool, configured, live, runtime } = this.#change;
    const { generation, resources, onFault } = this.#options;
    if (!runtime.loads) throw new Error("carrying needs models");
    const store = await openPostgresStore({ pool, collections: [configured] });
    const to = { ...configured, generation };
    const ports = { store, counters: pipelineCounters(), onStageFailure: onFault };
    const running = [
      ...runCarriers({ ...ports, carriages: () => [{ from: live, to }] }),
      runRefreshes({ ...ports, opened: () => [to] }),
    ];
    for (const consumer of running) resources.defer(() => consumer.close({ graceMs }));
    this.#isCarrying = true;
  }

  async #othersCarry(): Promise<boolean> {
    const { pool, live } = this.#change;
    const { generation } = this.#options;
    const readers = await readReaders(pool, { collection: live.collection, generation });
    return readers.some(({ carries, failure }) => carries && failure === null);
  }
}
