/** How brokers are reached: whatever of Kafka this process opens takes one. */
export interface KafkaConnection {
  /** `host:port` each; any of them names the others. */
  readonly brokers: readonly string[];
  readonly client: "kafkajs" | "platformatic";
  readonly tls: boolean;
  /** Null: no SASL. */
  readonly login: KafkaLogin | null;
}

export interface KafkaLogin {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

/** Of a member of a group. */
export const timings = {
  sessionTimeoutMs: 10_000,
  heartbeatIntervalMs: 3_000,
  /**
   * How long a group waits for members to join again. A request to join that is never answered, since its connection broke, is given up
   * after so long and five seconds, and nothing is read meanwhile. Members hear of it by their heartbeat and have nothing to finish before.
   */
  rebalanceTimeoutMs: 15_000,
};
