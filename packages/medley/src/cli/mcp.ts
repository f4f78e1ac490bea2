import { MedleyClient } from "@medley/client";
import { MedleyError } from "@medley/core";
import manifest from "../../package.json" with { type: "json" };
import { readInstance } from "../deployment/instance.ts";
import { type Context, settingsOf } from "./context.ts";
import type { Outcome } from "./output.ts";

/** `medley mcp`: of the `medley up` that has the data folder open, or of the service at `url`. Stdout is the protocol's. */
export async function mcpCommand(context: Context, given: { url?: string }): Promise<Outcome> {
  const { dataDir, databaseUrl, token } = settingsOf(context);
  const url = given.url ?? (databaseUrl === null ? readInstance(dataDir)?.httpUrl : null);
  if (!url) {
    throw new MedleyError("service_unavailable", "no Medley that serves HTTP is known here", {
      mend: "start `medley up` in this folder, or name the service that answers searches: --url http://127.0.0.1:7401",
    });
  }
  const client = new MedleyClient({ url, ...(token === null ? {} : { token }) });
  // Loaded where it is used: no other command needs the protocol.
  const { serveMcp } = await import("@medley/mcp");
  await serveMcp({ client, version: manifest.version, signal: context.signal });
  return { exitCode: 0, data: undefined, text: "" };
}
