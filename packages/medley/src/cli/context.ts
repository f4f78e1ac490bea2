import { type LoadedConfig, loadConfig } from "../config/load-config.ts";
import { readSettings, type Settings } from "../config/settings.ts";
import type { Deployment } from "../deployment/deployment.ts";
import { type DeploymentOptions, openDeployment } from "../deployment/open-deployment.ts";
import { openLogger } from "../observability/log.ts";
import type { Outcome } from "./output.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

/** What a command may use of the outside world. */
export interface Context {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first Ctrl-C or SIGTERM: stop taking new work, finish what is in hand. */
  readonly signal: AbortSignal;
  readonly global: GlobalOptions;
}

/** Runs a command's action and prints what comes of it. */
export type Run = (name: string, action: (context: Context) => Promise<Outcome>) => Promise<void>;

export function settingsOf(context: Context): Settings {
  const settings = readSettings(context.environment);
  return context.global.dataDir === undefined ? settings : { ...settings, dataDir: context.global.dataDir };
}

export function configOf(context: Context): Promise<LoadedConfig> {
  return loadConfig(context.directory, context.global.config);
}

/** The running deployment of this data folder where there is one, else one of this command's own. */
export async function openHere(
  context: Context,
  encodes: Required<DeploymentOptions>["encodes"],
): Promise<Deployment> {
  const [{ collections, lock }, settings] = [await configOf(context), settingsOf(context)];
  return openDeployment({
    collections,
    lock,
    // A command that only passes by takes any free port; `medley up` is the one with a fixed address.
    settings: { ...settings, postgresPort: 0 },
    mayAttach: true,
    encodes,
    onFault: logFault,
  });
}

// One line of JSON on stderr per fault; never a record's contents.
const logger = openLogger({ role: "command", level: "warn" });

export function logFault(fault: { part: string; message: string }): void {
  logger.warn({ part: fault.part }, fault.message);
}
