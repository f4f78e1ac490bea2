import type { Consumer, Store, Transport } from "@medley/core";
import { type CollectionEncoders, embed, indexRows, type PipelineCounters } from "@medley/pipeline";

export interface StagesOptions {
  readonly collections: ReadonlyMap<string, CollectionEncoders>;
  readonly store: Store;
  readonly transport: Transport;
  readonly counters: PipelineCounters;
}

// Three packets at once keep every session thread busy while another packet is read, compared or sent on.
const embedPacketsInFlightMax = 3;
// Writes of one process meet in one Postgres: two in flight hide the round trip.
const indexPacketsInFlightMax = 2;

/** Runs the stage `embed` for the packets of the queue until closed. */
export function runEmbedStage(options: StagesOptions): Promise<Consumer> {
  return options.transport.consume("records", (delivery, signal) => embed(options, delivery, signal), {
    packetsInFlightMax: embedPacketsInFlightMax,
  });
}

/** Runs the stage `index` for the packets of the queue until closed. */
export function runIndexStage(options: StagesOptions): Promise<Consumer> {
  return options.transport.consume("vectors", (delivery) => indexRows(options, delivery), {
    packetsInFlightMax: indexPacketsInFlightMax,
  });
}
