import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { bin, type Workplace } from "./medley.fixture.ts";

/** An assistant that speaks with the `medley mcp` of a workplace. To be closed. */
export async function openAssistant({ folder }: Workplace): Promise<Client> {
  const assistant = new Client({ name: "test", version: "1" });
  await assistant.connect(
    new StdioClientTransport({ command: process.execPath, args: [bin, "mcp"], cwd: folder, stderr: "pipe" }),
  );
  return assistant;
}
