import type { Lanes, MedleyError, Transport } from "@medley/core";
import { openBullmqPostgres, openBullmqRedis } from "@medley/transport";
import type { Settings } from "../config/settings.ts";

export interface OpenLanesOptions {
  readonly settings: Settings;
  /** Of the database, which also holds the queue where no other is configured. */
  readonly connectionString: string;
  /** The lanes are closed with it. */
  readonly resources: AsyncDisposableStack;
  /** Faults met by consumers, which go on trying. */
  readonly onFault: (fault: MedleyError) => void;
  /** How a lane's server may lose what it accepts, told when it is opened. */
  readonly onWarning: (message: string) => void;
}

/** Opens the transport of each lane. Throws `schema_behind` or `transport_unavailable`. */
export async function openLanes(options: OpenLanesOptions): Promise<Lanes> {
  const backfill = await openQueue(options);
  options.resources.defer(() => backfill.close());
  return { stream: backfill, backfill };
}

function openQueue({ settings, connectionString, onFault, onWarning }: OpenLanesOptions): Promise<Transport> {
  const { redisUrl, lanePrefix } = settings;
  if (redisUrl === null) return openBullmqPostgres({ connectionString, onFault });
  return openBullmqRedis({ url: redisUrl, prefix: lanePrefix, onFault, onWarning });
}
