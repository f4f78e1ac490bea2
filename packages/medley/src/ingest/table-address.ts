import { readFileSync } from "node:fs";
import { MedleyError } from "@medley/core";
import type { TableDatabaseOptions } from "@medley/sources";
import type { Settings } from "../config/settings.ts";
import type { Database } from "../deployment/database.ts";

/** Where a table is: in the database that the variable names, or in Medley's own. Throws `usage`. */
export function tableDatabase(
  urlVariable: string | undefined,
  { environment }: Pick<Settings, "environment">,
  own: Pick<Database, "kind" | "connectionString">,
): TableDatabaseOptions {
  if (urlVariable === undefined) {
    return { connectionString: own.connectionString, embedded: own.kind !== "server" };
  }
  const connectionString =
    environment[urlVariable] || ofFile(environment[`${urlVariable}_FILE`], urlVariable);
  if (!connectionString) {
    throw new MedleyError("usage", `${urlVariable} does not hold the address of a source's database`, {
      mend: `set it, or ${urlVariable}_FILE with a file that holds it`,
    });
  }
  return { connectionString, embedded: false };
}

function ofFile(path: string | undefined, variable: string): string | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new MedleyError("usage", `${variable}_FILE names ${path}, which can't be read`, { cause });
  }
}
