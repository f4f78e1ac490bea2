import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";

export interface NativeServices extends Disposable {
  /** `DATABASE_URL` and whatever else tests read. */
  readonly variables: NodeJS.Dict<string>;
}

/** Installs (once) and starts real services by `infra/services.sh`, each run its own, on free ports; disposing stops them. */
export function startNativeServices(): NativeServices {
  const runFolder = mkdtempSync(join(tmpdir(), "medley-services-"));
  // As root, Postgres runs as another user.
  chmodSync(runFolder, 0o755);
  const script = (verb: string): string =>
    execFileSync(join(import.meta.dirname, "../infra/services.sh"), [verb], {
      env: { ...process.env, MEDLEY_SERVICES_RUN: runFolder },
      stdio: ["ignore", "pipe", "inherit"],
      encoding: "utf8",
    });
  const stop = () => {
    script("stop");
    rmSync(runFolder, { recursive: true, force: true });
  };
  try {
    script("install");
    script("start");
    const variables = parseEnv(script("env"));
    assert(variables.DATABASE_URL, "infra/services.sh env names no DATABASE_URL");
    return { variables, [Symbol.dispose]: stop };
  } catch (error) {
    stop();
    throw error;
  }
}
