import { type Collection, MedleyError } from "@medley/core";
import { openPool } from "@medley/store";
import { openDatabase } from "../deployment/database.ts";
import { recordsOfCollection, recordsOfFile, type TrainingRecords } from "../train/training-records.ts";
import { type Context, logFault, settingsOf } from "./context.ts";

export interface RecordsFrom {
  readonly collection: Collection;
  /** A file, or `collection:NAME`. Default: the collection's own. */
  readonly from?: string;
  readonly resources: AsyncDisposableStack;
}

const collectionPrefix = "collection:";

/** The records that a command trains or measures on. Throws `usage` for standard input. */
export async function openRecordsFrom(context: Context, options: RecordsFrom): Promise<TrainingRecords> {
  const { collection } = options;
  const from = options.from ?? `${collectionPrefix}${collection.name}`;
  if (from === "-") {
    throw new MedleyError("usage", "records to train on are read twice, and standard input only once", {
      mend: "write them to a file, and name it with --from",
    });
  }
  return from.startsWith(collectionPrefix)
    ? await databaseRecords(context, options, from.slice(collectionPrefix.length))
    : await recordsOfFile(from, collection);
}

async function databaseRecords(
  context: Context,
  { collection, resources }: RecordsFrom,
  from: string,
): Promise<TrainingRecords> {
  const settings = { ...settingsOf(context), postgresPort: 0 };
  const onEngineFault = ({ reason }: { reason: string }) => logFault({ part: "engine", message: reason });
  const database = await openDatabase({ settings, mayAttach: true, onEngineFault });
  resources.defer(() => database.close());
  const pool = openPool({
    connectionString: database.connectionString,
    connectionsMax: 1,
    applicationName: "medley train",
  });
  resources.defer(() => pool.end());
  return recordsOfCollection(pool, collection, from);
}
