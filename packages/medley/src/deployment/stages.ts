import type { Consumer, Lanes, Store, Transport } from "@medley/core";
import { type CollectionEncoders, embed, indexRows, type PipelineCounters } from "@medley/pipeline";

export interface StagesOptions {
  readonly collections: ReadonlyMap<string, CollectionEncoders>;
  readonly store: Store;
  readonly lanes: Lanes;
  readonly counters: PipelineCounters;
}

// Three packets at once keep every session thread busy while another packet is read, compared or sent on.
const embedPacketsInFlightMax = 3;
// Writes of one process meet in one Postgres: two in flight hide the round trip.
const indexPacketsInFlightMax = 2;

/** Runs the stage `embed` for the packets of every lane until closed; what came by a lane goes on by it. */
export function runEmbedStage({ lanes, ...ports }: StagesOptions): Promise<readonly Consumer[]> {
  const consume = (transport: Transport) =>
    transport.consume("records", (delivery, signal) => embed({ ...ports, transport }, delivery, signal), {
      packetsInFlightMax: embedPacketsInFlightMax,
    });
  return Promise.all(transportsOf(lanes).map(consume));
}

/** Runs the stage `index` for the packets of every lane until closed. */
export function runIndexStage({ lanes, ...ports }: StagesOptions): Promise<readonly Consumer[]> {
  const consume = (transport: Transport) =>
    transport.consume("vectors", (delivery, signal) => indexRows(ports, delivery, signal), {
      packetsInFlightMax: indexPacketsInFlightMax,
    });
  return Promise.all(transportsOf(lanes).map(consume));
}

/** Each once, also where one serves both lanes. */
export function transportsOf(lanes: Lanes): readonly Transport[] {
  return [...new Set(Object.values(lanes))];
}
