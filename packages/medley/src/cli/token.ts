import { MedleyError } from "@medley/core";
import { newToken, parseAccessTokens } from "../config/access-tokens.ts";
import type { Outcome } from "./output.ts";

export interface TokenArguments {
  readonly scope: readonly string[];
  readonly collection: readonly string[];
}

/** `medley token NAME`: a new token, and the entry of `MEDLEY_TOKENS` that lets it in. The token itself is kept nowhere. */
export async function tokenCommand(name: string, { scope, collection }: TokenArguments): Promise<Outcome> {
  if (scope.length === 0) {
    throw new MedleyError("usage", "no scope is named", { mend: "add --scope ingest, search or operate" });
  }
  const { token, sha256 } = newToken();
  const entry = {
    name,
    sha256,
    scopes: scope,
    ...(collection.length === 0 ? {} : { collections: collection }),
  };
  parseAccessTokens(JSON.stringify([entry]));
  const text = [
    `token, shown this once:   ${token}`,
    `entry for MEDLEY_TOKENS:  ${JSON.stringify(entry)}`,
  ].join("\n");
  return { exitCode: 0, data: { token, entry }, text };
}
