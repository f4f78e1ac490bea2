import type { MedleyError } from "@medley/core";
import type { KafkaConnection } from "./connection.ts";
import type { NewMessage } from "./topic-message.ts";

export interface TopicWriterOptions {
  readonly connection: KafkaConnection;
  /** A `send` not answered by then rejects. Default 30 s. */
  readonly sendTimeoutMs?: number;
  readonly onFault?: (fault: MedleyError) => void;
}

export interface TopicWriter {
  /**
   * Resolves when all in-sync replicas have the messages. Those of one call keep their order within a partition. Throws
   * `transport_unavailable` (whether they were written is then unknown: sending again is safe, and may write them twice) or
   * `body_too_large` for a message the topic does not take.
   */
  send(topic: string, messages: readonly NewMessage[]): Promise<void>;
  /** Waits for what is being sent. */
  close(): Promise<void>;
}

export async function openTopicWriter(options: TopicWriterOptions): Promise<TopicWriter> {
  throw new Error(`to come: ${options.connection.client}`);
}
