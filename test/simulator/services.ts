import type {
  Channel,
  Collection,
  Consumer,
  Delivery,
  Encoder,
  Lanes,
  Receive,
  RecordEnvelope,
  Store,
  Transport,
} from "@medley/core";
import {
  type CollectionEncoders,
  collectionEncoders,
  embed,
  indexRows,
  pipelineCounters,
} from "@medley/pipeline";
import type { Life } from "./host.ts";
import type { Judge } from "./judge.ts";
import { type ModelState, SimulatedEncoder } from "./notes.ts";

/** What a mutation test changes between the stages and their ports. */
export interface StagePorts {
  /** The store that the stages see. */
  readonly store: (store: Store) => Store;
  /** The signal that the stages see. */
  readonly signal: (signal: AbortSignal) => AbortSignal;
}

export const realPorts: StagePorts = { store: (store) => store, signal: (signal) => signal };

export interface ServiceParts {
  readonly life: Life;
  readonly judge: Judge;
  readonly collection: Collection;
  readonly lanes: Lanes;
  readonly store: Store;
  readonly ports: StagePorts;
  readonly model: () => ModelState;
  /** A stage has resolved for these. */
  readonly onDone: (channel: Channel, envelopes: readonly RecordEnvelope[]) => void;
}

// As in the deployment.
const embedPacketsInFlightMax = 3;
const indexPacketsInFlightMax = 2;

/** The program of an embedding-worker. */
export function runEmbedder(parts: ServiceParts): Promise<readonly Consumer[]> {
  const { life, collection, ports, model } = parts;
  const encoders = collection.spaces.map(({ name }): Encoder => new SimulatedEncoder(name, life, model));
  const opened = collectionEncoders(collection, encoders);
  const collections: ReadonlyMap<string, CollectionEncoders> = new Map([[collection.name, opened]]);
  const counters = pipelineCounters();
  return consumeAll(parts, "records", embedPacketsInFlightMax, (transport) => (delivery, signal) => {
    const watch = watchOf(parts, signal);
    return embed(
      { collections, counters, store: watch.store, transport: watch.transport(transport) },
      delivery,
      ports.signal(signal),
    );
  });
}

/** The program of an indexer. */
export function runIndexer(parts: ServiceParts): Promise<readonly Consumer[]> {
  const counters = pipelineCounters();
  return consumeAll(parts, "vectors", indexPacketsInFlightMax, () => async (delivery, signal) => {
    const watch = watchOf(parts, signal);
    await indexRows({ store: watch.store, counters }, delivery, parts.ports.signal(signal));
    watch.checkRuns(delivery);
  });
}

async function consumeAll<C extends Channel>(
  { life, judge, lanes, onDone }: ServiceParts,
  channel: C,
  packetsInFlightMax: number,
  receiveFrom: (transport: Transport) => Receive<C>,
): Promise<readonly Consumer[]> {
  const transports = [...new Set(Object.values(lanes) as Transport[])];
  const consume = (transport: Transport) => {
    const receive = receiveFrom(transport);
    let inHand = 0;
    const counted: Receive<C> = async (delivery, signal) => {
      inHand += 1;
      if (inHand > packetsInFlightMax)
        life.world.violate("P5", `${life.host.name} has ${inHand} packets of ${channel} in hand`);
      judge.delivered(delivery.packet.envelopes);
      try {
        await receive(delivery, signal);
        onDone(channel, delivery.packet.envelopes);
      } finally {
        inHand -= 1;
      }
    };
    return transport.consume(channel, counted, { packetsInFlightMax });
  };
  return Promise.all(transports.map(consume));
}

/** Sees to it that a delivery which is another consumer's by now has no effects, and counts the runs of its records. */
function watchOf({ life, store, ports }: ServiceParts, signal: AbortSignal) {
  const { world, host } = life;
  const check = (what: string) => {
    if (signal.aborted) world.violate("P2", `${host.name} ${what} for a packet that is another's by now`);
  };
  /** By id: how often it was part of a write. */
  const runs = new Map<string, number>();
  const watched: Store = {
    readSegments: (collection, ids) => store.readSegments(collection, ids),
    writeRows: (collection, envelopes, chunk) => {
      check("writes rows");
      for (const { id } of envelopes) runs.set(id, (runs.get(id) ?? 0) + 1);
      return store.writeRows(collection, envelopes, chunk);
    },
    writeEvents: (collection, events) => {
      check("writes events");
      return store.writeEvents(collection, events);
    },
    addDeadLetters: (letters) => {
      check("adds dead letters");
      return store.addDeadLetters(letters);
    },
  };
  return {
    store: ports.store(watched),
    transport: (transport: Transport): Pick<Transport, "send"> => ({
      send: (channel, packet, options) => {
        check(`sends ${channel}`);
        return transport.send(channel, packet, options);
      },
    }),
    checkRuns({ packet: { envelopes } }: Delivery<"vectors">): void {
      const runsMax = Math.ceil(Math.log2(envelopes.length)) + 1;
      for (const [id, count] of runs) {
        if (count > runsMax)
          world.violate(
            "P6",
            `${id} was written ${count} times for others' faults, among ${envelopes.length}`,
          );
      }
    },
  };
}
