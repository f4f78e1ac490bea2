import { MedleyError } from "@medley/core";
import pg from "pg";
import { inTransaction } from "../transaction.ts";
import { migrationLock } from "./migrate.ts";

const { escapeLiteral } = pg;

/** `app`: what the services connect with. `read`: searches and the collections' views. See sql/functions/roles.sql. */
export type RoleKind = "app" | "read";

export interface GrantedRole {
  readonly name: string;
  readonly kind: RoleKind;
}

/** What a role lacks, or has too much of; `migrate` mends the first. */
export interface RoleFault {
  readonly role: GrantedRole;
  /** Statements. */
  readonly missing: readonly string[];
  /** Such as `is a superuser`; null: nothing. */
  readonly excess: string | null;
}

/**
 * Grants the roles named now, and those named at earlier times, what they lack: to be called after every migration, since it
 * may have made tables. All of it or nothing. Returns the statements it ran.
 *
 * Throws `MedleyError` `role_unknown`, `usage` for a role that grants can't bind, or `schema_behind` where this role may not.
 */
export async function grantRoles(pool: pg.Pool, named: readonly GrantedRole[]): Promise<readonly string[]> {
  const client = await pool.connect();
  try {
    return await inTransaction(client, async () => {
      await client.query("select pg_advisory_xact_lock($1)", [migrationLock]);
      const statements: string[] = [];
      for (const { name, kind } of await rolesOf(client, named)) {
        const { rows } = await client.query<{ statement: string }>(
          "select grant_role as statement from medley_internal.grant_role($1, $2)",
          [name, kind],
        );
        statements.push(...rows.map(({ statement }) => statement));
      }
      return statements;
    });
  } catch (error) {
    throw explained(error);
  } finally {
    client.release();
  }
}

/** What `grantRoles` would do, and what it can't; roles without faults are left out. Needs the migrations applied. */
export async function readRoleFaults(
  pool: pg.Pool,
  named: readonly GrantedRole[],
): Promise<readonly RoleFault[]> {
  const faults: RoleFault[] = [];
  try {
    for (const role of await rolesOf(pool, named)) {
      const { rows } = await pool.query<{ missing: string[]; excess: string | null }>(
        `select array(select medley_internal.missing_grants($1, $2)) as missing,
  medley_internal.excess_rights($1) as excess`,
        [role.name, role.kind],
      );
      const { missing, excess } = rows[0] as (typeof rows)[0];
      if (missing.length > 0 || excess !== null) faults.push({ role, missing, excess });
    }
  } catch (error) {
    throw explained(error);
  }
  return faults;
}

/** For an administrator to run after the migrations. */
export function grantSql({ name, kind }: GrantedRole): string {
  return `select medley_internal.grant_role(${escapeLiteral(name)}, ${escapeLiteral(kind)});`;
}

async function rolesOf(
  database: Pick<pg.Pool | pg.PoolClient, "query">,
  named: readonly GrantedRole[],
): Promise<readonly GrantedRole[]> {
  const { rows } = await database.query<GrantedRole>(
    "select role_name as name, kind from medley_internal.granted_roles order by role_name",
  );
  return [...named, ...rows.filter((known) => !named.some(({ name }) => name === known.name))];
}

/** The functions say what is wrong by SQLSTATE, and the mend as the hint. */
function explained(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const mend = error.hint === undefined ? {} : { mend: error.hint };
  if (error.code === "42704")
    return new MedleyError("role_unknown", error.message, { cause: error, ...mend });
  if (error.code === "22023") return new MedleyError("usage", error.message, { cause: error, ...mend });
  if (error.code === "42501") {
    return new MedleyError("schema_behind", `the database refuses a grant: ${error.message}`, {
      mend: "run medley migrate as the role that owns Medley's schemas",
      cause: error,
    });
  }
  return error;
}
