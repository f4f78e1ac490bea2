import type { Lanes, MedleyError, Store, Transport } from "@medley/core";
import { openBullmqPostgres, openBullmqRedis, openKafka } from "@medley/transport";
import type { KafkaSettings, Settings } from "../config/settings.ts";
import { deadLetterOfMessage } from "./undecodable.ts";

export interface OpenLanesOptions {
  readonly settings: Settings;
  /** Of the database, which also holds the queue where no other is configured. */
  readonly connectionString: string;
  /** Where messages are kept that are none of Medley's. */
  readonly store: Pick<Store, "addDeadLetters">;
  /** The lanes are closed with it. */
  readonly resources: AsyncDisposableStack;
  /** Faults met by consumers, which go on trying. */
  readonly onFault: (fault: MedleyError) => void;
  /** How a lane's server may lose what it accepts, told when it is opened. */
  readonly onWarning: (message: string) => void;
}

/** Opens the transport of each lane. Throws `schema_behind` or `transport_unavailable`. */
export async function openLanes(options: OpenLanesOptions): Promise<Lanes> {
  const { settings, resources } = options;
  const backfill = await openQueue(options);
  resources.defer(() => backfill.close());
  if (settings.kafka === null) return { stream: backfill, backfill };
  const stream = await openLog(settings.kafka, options);
  resources.defer(() => stream.close());
  return { stream, backfill };
}

function openQueue({ settings, connectionString, onFault, onWarning }: OpenLanesOptions): Promise<Transport> {
  const { redisUrl, lanePrefix } = settings;
  if (redisUrl === null) return openBullmqPostgres({ connectionString, onFault });
  return openBullmqRedis({ url: redisUrl, prefix: lanePrefix, onFault, onWarning });
}

function openLog(kafka: KafkaSettings, options: OpenLanesOptions): Promise<Transport> {
  const { brokers, client, tls, login, partitions, replication, retentionHours } = kafka;
  return openKafka({
    connection: { brokers, client, tls, login },
    prefix: options.settings.lanePrefix,
    partitions,
    replication,
    retentionHours,
    onFault: options.onFault,
    onUndecodable: (channel, messages) =>
      options.store.addDeadLetters(messages.map((message) => deadLetterOfMessage(channel, message))),
  });
}
