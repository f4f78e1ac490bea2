import type { Collection, Consumer, DeadLetter, Store, TableSource } from "@medley/core";
import { checkInputs, deadLetterOfRejection, type Input, type ProducePorts, send } from "@medley/pipeline";
import { type ChangeBatch, openRelay, type TableDatabaseOptions } from "@medley/sources";
import type { Settings } from "../config/settings.ts";
import type { Database } from "../deployment/database.ts";
import { tableDatabase } from "./table-address.ts";

export interface TableIngestPorts {
  readonly produce: ProducePorts;
  readonly store: Pick<Store, "addDeadLetters">;
  readonly database: Pick<Database, "kind" | "connectionString">;
}

export interface TableIngestOptions {
  readonly ports: TableIngestPorts;
  readonly collections: Iterable<Collection>;
  readonly settings: Pick<Settings, "environment" | "lanePrefix">;
  /** Faults met by relays, which go on trying. */
  readonly onFault: (fault: Error) => void;
}

export interface ConfiguredTable {
  readonly collection: Collection;
  readonly source: TableSource;
  readonly database: TableDatabaseOptions;
}

/** Every source of kind `postgres`, with its database. Throws `usage` where its variable is not set. */
export function configuredTables(
  collections: Iterable<Collection>,
  settings: Pick<Settings, "environment">,
  own: Pick<Database, "kind" | "connectionString">,
): readonly ConfiguredTable[] {
  return [...collections].flatMap((collection) =>
    collection.sources.flatMap((source) =>
      source.kind === "postgres"
        ? [{ collection, source, database: tableDatabase(source.urlVariable, settings, own) }]
        : [],
    ),
  );
}

/**
 * Relays the changes of the tables that are sources of collections into the stream's lane. Any number of processes may do so:
 * what one has in hand the others pass over. Throws `usage`, `source_mismatch`, and `outbox_behind` where the triggers are
 * missing.
 */
export async function ingestTables(options: TableIngestOptions): Promise<Consumer> {
  const { ports, collections, settings, onFault } = options;
  const relays: Consumer[] = [];
  const close: Consumer["close"] = async (grace) => {
    await Promise.all(relays.splice(0).map((relay) => relay.close(grace)));
  };
  try {
    for (const { collection, source, database } of configuredTables(collections, settings, ports.database)) {
      if (source.changes === false) continue;
      relays.push(
        await openRelay({
          ...database,
          collection,
          source,
          deployment: settings.lanePrefix,
          deliver: (batch) => deliver(ports, collection, batch),
          onFault,
        }),
      );
    }
  } catch (error) {
    await close({ graceMs: 0 });
    throw error;
  }
  return { close };
}

/** Resolves when each of the batch is in the stream's lane or a dead letter. Throws `overloaded` while the lane is full. */
async function deliver(
  { produce, store }: TableIngestPorts,
  collection: Collection,
  { version, table, records, unreadable }: ChangeBatch,
): Promise<void> {
  const acceptedAtMs = Date.now();
  const inputs = records.map(
    (value): Input => ({ value, source: table, textual: false, version, acceptedAtMs }),
  );
  const { envelopes, rejected } = checkInputs(produce, collection, inputs);
  const where = { collection: collection.name, runId: null };
  const letters: DeadLetter[] = [
    ...rejected.map(({ index, ...rejection }) => {
      const payload = Buffer.from(JSON.stringify(records[index]));
      return { ...deadLetterOfRejection(rejection, { source: table, payload }, where), version };
    }),
    ...unreadable.map(({ id, reason }) => {
      const payload = Buffer.from(JSON.stringify({ [collection.idKey]: id }));
      const rejection = { id, code: "record_invalid", message: reason };
      return { ...deadLetterOfRejection(rejection, { source: table, payload }, where), version };
    }),
  ];
  // After the send, which is refused while the lane is full: each try would add its letters again.
  await send(produce, collection, envelopes);
  if (letters.length > 0) await store.addDeadLetters(letters);
}
