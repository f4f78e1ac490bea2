import { strict as assert } from "node:assert";
import type { MedleyError } from "@medley/core";

export interface BullmqPostgresOptions {
  readonly connectionString: string;
  /** Besides one for notifications. Default 4. */
  readonly connectionsMax?: number;
  /** How long a packet stays with a consumer that has fallen silent. Default 6,000: a dead one's come back within 10 s. */
  readonly leaseMs?: number;
  /** Between two looks at an empty queue where no notification arrives. Default 2,000. */
  readonly pollIntervalMs?: number;
  /** Of one query, waiting for a connection included. Default 30,000: on PGlite, one long statement makes all others wait. */
  readonly queryMsMax?: number;
  /** Faults of the queue met by consumers, which go on trying; for logs. Default: none hears of them. */
  readonly onFault?: (fault: MedleyError) => void;
}

export type BullmqPostgresConfig = Readonly<Required<BullmqPostgresOptions>>;

export function bullmqPostgresConfig(options: BullmqPostgresOptions): BullmqPostgresConfig {
  const config = {
    connectionsMax: 4,
    leaseMs: 6_000,
    pollIntervalMs: 2_000,
    queryMsMax: 30_000,
    onFault: () => {},
    ...options,
  };
  for (const name of ["connectionsMax", "leaseMs", "pollIntervalMs", "queryMsMax"] as const) {
    assert(Number.isSafeInteger(config[name]) && config[name] > 0, `${name} must be a whole number above 0`);
  }
  return Object.freeze(config);
}
