import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";

export interface BullmqRedisOptions {
  /** `redis://[user:password@]host:port[/database]`, or `rediss://` for TLS. */
  readonly url: string;
  /** First part of every key, so that deployments can share a Redis. */
  readonly prefix: string;
  /** How long a packet stays with a consumer that has fallen silent. Default 6,000: a dead one's come back within 10 s. */
  readonly leaseMs?: number;
  /** Between two looks at an empty queue where no arrival is heard. Default 2,000. */
  readonly pollIntervalMs?: number;
  /** Of one command, also of opening: one that takes longer has failed, and its connection is made anew. Default 10,000. */
  readonly commandMsMax?: number;
  /** Faults of the queue met by consumers, which go on trying; for logs. Default: none hears of them. */
  readonly onFault?: (fault: MedleyError) => void;
  /** Settings of the server under which it may lose packets, told when it is opened. Default: none hears of them. */
  readonly onWarning?: (message: string) => void;
}

export type BullmqRedisConfig = Readonly<Required<BullmqRedisOptions>>;

/** Throws `MedleyError` `usage` where the URL is not one of Redis; the URL may hold a password, so no message quotes it. */
export function bullmqRedisConfig(options: BullmqRedisOptions): BullmqRedisConfig {
  const config = {
    leaseMs: 6_000,
    pollIntervalMs: 2_000,
    commandMsMax: 10_000,
    onFault: () => {},
    onWarning: () => {},
    ...options,
  };
  for (const name of ["leaseMs", "pollIntervalMs", "commandMsMax"] as const) {
    assert(Number.isSafeInteger(config[name]) && config[name] > 0, `${name} must be a whole number above 0`);
  }
  // A colon separates the parts of a key, and braces would choose its slot in a cluster.
  assert(/^[\w-]+$/.test(config.prefix), "prefix must be letters, digits, _ and -");
  if (!URL.canParse(config.url) || !["redis:", "rediss:"].includes(new URL(config.url).protocol)) {
    throw new MedleyError("usage", "the address of Redis is not one", {
      mend: "it must be redis://[user:password@]host:port[/database], or rediss:// for TLS",
    });
  }
  return Object.freeze(config);
}
