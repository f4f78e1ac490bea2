import { MedleyError } from "@medley/core";
import { logToMlflow, type Run } from "@medley/training";

/** Before hours of training, not after them. Throws `usage`. */
export function checkMlflowUrl(url: string): void {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return;
  throw new MedleyError("usage", `--mlflow ${JSON.stringify(url)} is no address of a server`, {
    mend: "write it as --mlflow http://localhost:5000",
  });
}

/**
 * Tells a run that has ended to a tracking server, in the experiment of its space, also after Ctrl-C. The artefact is pinned and the run's
 * folder has everything by then, so a server that does not take it is a warning.
 */
export async function tellMlflow(run: Run, url: string): Promise<void> {
  const { id, model } = run.record;
  // Without a name and password that may be in it.
  const { host } = new URL(url);
  try {
    await logToMlflow(run, { url, experiment: model });
    process.stderr.write(`run ${id}: told to MLflow at ${host}, experiment ${model}\n`);
  } catch (error) {
    process.stderr.write(
      `warning: run ${id} is not told to MLflow at ${host}: ${(error as Error).message}\n`,
    );
  }
}
