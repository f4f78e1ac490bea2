import type pg from "pg";
import type { VectorTypes } from "./rows/columns.ts";

/** What the store has to know of the Postgres it is in. */
export interface Server {
  readonly types: VectorTypes;
  /** Of pgvector, as installed in this database. */
  readonly pgvector: string;
  readonly embedded: boolean;
}

export async function readServer(pool: pg.Pool): Promise<Server> {
  const { rows } = await pool.query<{
    schema: string;
    vector: number;
    halfvec: number;
    pgvector: string;
    embedded: boolean;
  }>(
    `select extnamespace::regnamespace::text as schema, extversion as pgvector, version() like '%PGlite%' as embedded,
  (select oid from pg_type where typname = 'vector' and typnamespace = extnamespace) as vector,
  (select oid from pg_type where typname = 'halfvec' and typnamespace = extnamespace) as halfvec
from pg_extension where extname = 'vector'`,
  );
  const { schema, vector, halfvec, pgvector, embedded } = rows[0] as (typeof rows)[0];
  return {
    types: { schema, vectorOid: Number(vector), halfvecOid: Number(halfvec) },
    pgvector,
    embedded,
  };
}
