import { MedleyClient } from "@medley/client";
import { MedleyError } from "@medley/core";
import type { Command } from "commander";
import manifest from "../../package.json" with { type: "json" };
import { readInstance } from "../deployment/instance.ts";
import { type Context, type Run, settingsOf } from "./context.ts";
import { address } from "./option-values.ts";
import type { Outcome } from "./output.ts";

/** `medley mcp`. */
export function mcpCommands(medley: Command, run: Run): void {
  medley
    .command("mcp")
    .description(
      "let an assistant search: a read-only server of the Model Context Protocol on stdin and stdout",
    )
    .option("--url <url>", "of the service that answers searches, with the token of MEDLEY_TOKEN", address)
    .addHelpText(
      "after",
      "\nWithout --url it asks the `medley up` that has the data folder open. Tools: collections, search, explain.\n\nExamples:\n  $ medley mcp\n  $ medley mcp --url http://127.0.0.1:7401",
    )
    .action((options) => run("mcp", (context) => mcpCommand(context, options)));
}

/** Of the `medley up` that has the data folder open, or of the service at `url`. Stdout is the protocol's. */
async function mcpCommand(context: Context, given: { url?: string }): Promise<Outcome> {
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
