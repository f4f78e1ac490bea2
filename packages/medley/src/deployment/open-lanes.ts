import type { Lanes, MedleyError } from "@medley/core";
import { openBullmqPostgres } from "@medley/transport";
import type { Settings } from "../config/settings.ts";

export interface OpenLanesOptions {
  readonly settings: Settings;
  /** Of the database, which also holds the queue where no other is configured. */
  readonly connectionString: string;
  /** The lanes are closed with it. */
  readonly resources: AsyncDisposableStack;
  /** Faults met by consumers, which go on trying. */
  readonly onFault: (fault: MedleyError) => void;
}

/** Opens the transport of each lane. Throws `schema_behind` or `transport_unavailable`. */
export async function openLanes({ connectionString, resources, onFault }: OpenLanesOptions): Promise<Lanes> {
  const queue = await openBullmqPostgres({ connectionString, onFault });
  resources.defer(() => queue.close());
  return { stream: queue, backfill: queue };
}
