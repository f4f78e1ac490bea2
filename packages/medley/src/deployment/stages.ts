import {
  type Channel,
  type ChannelPackets,
  type Clock,
  type Consumer,
  type Delivery,
  type Lane,
  type Lanes,
  MedleyError,
  type Receive,
  type RefreshStore,
  type Stage,
  type Store,
  type Transport,
} from "@medley/core";
import { type CollectionEncoders, embed, indexRows, laneOf, type PipelineCounters } from "@medley/pipeline";

/** A delivery that did not go well; it comes again. */
export interface StageFailure {
  readonly stage: Stage;
  readonly lane: Lane;
  readonly attempt: number;
  readonly error: unknown;
}

export interface StagesOptions {
  readonly collections: ReadonlyMap<string, CollectionEncoders>;
  readonly store: Store & RefreshStore;
  readonly lanes: Lanes;
  readonly counters: PipelineCounters;
  readonly clock: Clock;
  readonly onStageFailure: (failure: StageFailure) => void;
  /** Looks at the generations of rows anew: those that this process embeds for have ended. */
  readonly onGenerationGone: () => Promise<void>;
}

// Three packets at once keep every session thread busy while another packet is read, compared or sent on.
const embedPacketsInFlightMax = 3;
// Writes of one process meet in one Postgres: two in flight hide the round trip.
const indexPacketsInFlightMax = 2;

/** Runs the stage `embed` for the packets of every lane until closed; what came by a lane goes on by it. */
export function runEmbedStage({ lanes, ...ports }: StagesOptions): Promise<readonly Consumer[]> {
  const consume = (transport: Transport) => {
    const receive: Receive<"records"> = async (delivery, signal) => {
      try {
        await embed({ ...ports, graph: ports.store, transport }, delivery, signal);
      } catch (error) {
        // It comes again, for those that are there by then.
        if (isGone(error)) await ports.onGenerationGone();
        throw error;
      }
    };
    return transport.consume("records", telling("embed", receive, ports.onStageFailure), {
      packetsInFlightMax: embedPacketsInFlightMax,
    });
  };
  return Promise.all(transportsOf(lanes).map(consume));
}

/** Runs the stage `index` for the packets of every lane until closed. */
export function runIndexStage({ lanes, ...ports }: StagesOptions): Promise<readonly Consumer[]> {
  const consume = (transport: Transport) => {
    const receive: Receive<"vectors"> = async (delivery, signal) => {
      try {
        await indexRows(ports, delivery, signal);
      } catch (error) {
        if (!isGone(error)) throw error;
        await sendBack(transport, delivery.packet);
      }
    };
    return transport.consume("vectors", telling("index", receive, ports.onStageFailure), {
      packetsInFlightMax: indexPacketsInFlightMax,
    });
  };
  return Promise.all(transportsOf(lanes).map(consume));
}

function isGone(error: unknown): boolean {
  return error instanceof MedleyError && error.code === "generation_gone";
}

/** Vectors whose generation of rows has been dropped meanwhile: their records are encoded anew, for the one that is there. */
async function sendBack(transport: Transport, packet: ChannelPackets["vectors"]): Promise<void> {
  const envelopes = packet.envelopes.map(
    ({ vector: _vector, segmentHashes: _hashes, labels: _labels, generation: _generation, ...record }) =>
      record,
  );
  const { chunk } = packet;
  // Not the chunk's own key, by which a queue may remember it.
  const key = chunk === null ? {} : { key: `${chunk.runId}-${chunk.chunk}-again` };
  await transport.send("records", { ...packet, envelopes }, key);
}

/** What a transport hears of a failure is "once more"; why is said here. What was taken away from this process is no failure. */
function telling<C extends Channel>(
  stage: Stage,
  receive: Receive<C>,
  onFailure: StagesOptions["onStageFailure"],
): Receive<C> {
  return async (delivery: Delivery<C>, signal) => {
    try {
      await receive(delivery, signal);
    } catch (error) {
      const { packet, attempt } = delivery;
      if (!signal.aborted) onFailure({ stage, lane: laneOf(packet), attempt, error });
      throw error;
    }
  };
}

/** Each once, also where one serves both lanes. */
export function transportsOf(lanes: Lanes): readonly Transport[] {
  return [...new Set(Object.values(lanes))];
}
