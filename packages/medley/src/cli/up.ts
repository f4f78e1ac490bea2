import { serve } from "../serve.ts";
import { type Context, configOf, settingsOf } from "./context.ts";
import type { Outcome } from "./output.ts";

const role = { name: "medley", stages: ["embed", "index"], produces: true, searches: true } as const;

/** `medley up`: all services in one process until Ctrl-C or SIGTERM. */
export async function upCommand(context: Context): Promise<Outcome> {
  const [config, settings] = [await configOf(context), settingsOf(context)];
  await serve({
    config,
    settings,
    role,
    signal: context.signal,
    onReady: ({ httpUrl, connectionString }) => {
      process.stderr.write(
        `HTTP   ${httpUrl}/v1/status\nSQL    psql ${settings.databaseUrl === null ? connectionString : "(your own Postgres)"}\n`,
      );
    },
  });
  return { exitCode: 0, data: null, text: "stopped" };
}
