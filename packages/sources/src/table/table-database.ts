import { setTimeout as sleep } from "node:timers/promises";
import { MedleyError } from "@medley/core";
import pg from "pg";

/** A row as Postgres prints it, column by column: what a value is depends on its column, which the plan knows. */
export type TextRow = readonly (string | null)[];

export interface TableDatabaseOptions {
  readonly connectionString: string;
  /** True: Medley's embedded engine, whose clients share one session, so that no setting may be changed. */
  readonly embedded: boolean;
}

const connectMsMax = 10_000;
const triesMax = 5;
/** Doubled each time: 2 to 4.5 seconds in all. */
const firstPauseMsMax = 300;

/** A client that sees all rows of a table or fails: a row that its role may not see would count as deleted. */
export async function connect({ connectionString, embedded }: TableDatabaseOptions): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: connectMsMax,
    application_name: "medley",
    keepAlive: true,
  });
  // Each query rejects by itself; without a listener a broken idle connection would end the process.
  client.on("error", () => {});
  try {
    await client.connect();
    if (!embedded) {
      // A snapshot per statement, whatever the role's default: what is read must be younger than its version.
      await client.query("set row_security = off; set default_transaction_isolation = 'read committed'");
    }
  } catch (error) {
    client.end().catch(() => {});
    throw faultOf(error);
  }
  return client;
}

/** Runs one statement; what it gives stays text, whatever its type. Throws as Postgres does. */
export async function queryText(
  client: Pick<pg.Client, "query">,
  { text, values }: { text: string; values: unknown[] },
): Promise<TextRow[]> {
  const asText = { getTypeParser: () => String };
  const { rows } = await client.query({ text, values, rowMode: "array", types: asText });
  return rows as TextRow[];
}

/** One connection, made when it is needed and again when it breaks. Statements are tried again, so they must be idempotent. */
export class TableDatabase implements AsyncDisposable {
  readonly options: TableDatabaseOptions;
  #client: pg.Client | null = null;

  constructor(options: TableDatabaseOptions) {
    this.options = options;
  }

  /** Throws `source_unavailable` after several tries, `source_mismatch` where the statement does not fit the database. */
  async run<Value>(operation: (client: pg.Client) => Promise<Value>): Promise<Value> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#client ??= await connect(this.options);
        return await operation(this.#client);
      } catch (error) {
        const fault = faultOf(error);
        if (!(fault instanceof MedleyError) || !fault.retryable) throw fault;
        await this.#drop();
        if (attempt === triesMax) throw fault;
        await sleep((0.5 + Math.random() / 2) * firstPauseMsMax * 2 ** (attempt - 1));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#drop();
  }

  async #drop(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => {});
  }
}

/** Connection, serialization, deadlock, out of resources, lock not got in time, shut down. */
const passingStates = /^(08|40001|40P01|53|55P03|57P0|25P03)/;

/** A value that can't be computed or converted: one row's fault. */
export function isDataFault(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code ?? "").startsWith("22");
}

/** Of a statement that reads no row: then the value is the configuration's. */
export function conditionFaultOf(error: unknown): unknown {
  if (!isDataFault(error)) return faultOf(error);
  return new MedleyError(
    "source_mismatch",
    `"where" has a value that is none of its column: ${(error as Error).message}`,
    {
      mend: "write it as the column's type has it",
      cause: error,
    },
  );
}

/** What Postgres or the network says as a `MedleyError`; anything else as it is. Messages hold no values of rows. */
export function faultOf(error: unknown): unknown {
  if (error instanceof MedleyError || !(error instanceof Error)) return error;
  if (!(error instanceof pg.DatabaseError)) {
    const { code } = error as NodeJS.ErrnoException;
    // An assertion has a code, too.
    const isNetwork = /^E(?!RR_)/.test(code ?? "") || /^(Connection|timeout|Client)/.test(error.message);
    return isNetwork ? unavailable(code ?? error.message, error) : error;
  }
  const state = error.code ?? "";
  if (passingStates.test(state)) return unavailable(`${error.message} (${state})`, error);
  // A data fault's message quotes the value.
  if (isDataFault(error)) return error;
  const mend =
    state === "42501" ? grantMend(error.message) : "compare the source in medley.config.ts with the table";
  return new MedleyError("source_mismatch", `Postgres refuses: ${error.message}`, { mend, cause: error });
}

function grantMend(message: string): string {
  return message.includes("row-level security")
    ? "let the role see all rows (alter role ... bypassrls): one that it can't see would count as deleted"
    : "grant the role what docs/SOURCES.md lists";
}

function unavailable(said: string, cause: unknown): MedleyError {
  return new MedleyError("source_unavailable", `the source's database did not answer: ${said}`, {
    mend: "check that the server runs and can be reached",
    cause,
  });
}
