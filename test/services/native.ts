import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import type { StartServices } from "./services.ts";

/** Installs (once) and starts real services by `infra/services.sh`, each run its own, on free ports. */
export const startNative: StartServices = async (missing, resources) => {
  const runFolder = mkdtempSync(join(tmpdir(), "medley-services-"));
  resources.defer(() => rmSync(runFolder, { recursive: true, force: true }));
  // As root, Postgres runs as another user.
  chmodSync(runFolder, 0o755);
  const script = (verb: string): string =>
    execFileSync(join(import.meta.dirname, "../../infra/services.sh"), [verb], {
      env: { ...process.env, MEDLEY_SERVICES_RUN: runFolder },
      stdio: ["ignore", "pipe", "inherit"],
      encoding: "utf8",
    });
  script("install");
  resources.defer(() => void script("stop"));
  script("start");
  const variables = parseEnv(script("env"));
  return Object.fromEntries(missing.map((name) => [name, variables[name]]));
};
