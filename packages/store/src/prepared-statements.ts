import { createHash } from "node:crypto";
import pg from "pg";

/**
 * Statements that run over and over, parsed once per connection. Works where they can't be kept, too: behind a pooler that
 * gives a client's statements to changing sessions they turn out unknown or taken, and from then on nothing is prepared. On
 * the embedded engine, whose clients share one session and so the names, nothing is prepared to begin with.
 *
 * Only for statements whose best plan does not depend on how many rows a table has: a kept plan is not made anew as a table
 * grows, but when it is analyzed.
 */
export class PreparedStatements {
  readonly #pool: pg.Pool;
  readonly #names = new Map<string, string>();
  #prepares: boolean;

  constructor(pool: pg.Pool, options: { readonly prepares: boolean }) {
    this.#pool = pool;
    this.#prepares = options.prepares;
  }

  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<pg.QueryResult<Row>> {
    if (!this.#prepares) return this.#pool.query<Row>(text, values);
    try {
      return await this.#pool.query<Row>({ name: this.#nameOf(text), text, values });
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error;
      if (sharedSessionStates.has(error.code ?? "")) this.#prepares = false;
      else if (!isStale(error)) throw error;
      // Refused before it ran; the pool has closed the connection, with all that was prepared on it.
      return this.#pool.query<Row>(text, values);
    }
  }

  /** Of its text, so that processes of different versions do not mean different statements by one name. */
  #nameOf(text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) {
      name = `medley_${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
      this.#names.set(text, name);
    }
    return name;
  }
}

/** No statement of that name; one of that name already. */
const sharedSessionStates = new Set(["26000", "42P05"]);

/** "cached plan must not change result type", in whatever language: a table it reads was changed under it. */
function isStale(error: pg.DatabaseError): boolean {
  return error.code === "0A000" && error.routine === "RevalidateCachedQuery";
}
