/** As a process, `node pinning.fixture.ts FILE WRITER COUNT`, it pins models one by one; with `kill` it kills itself while it does. */
import { updateLock } from "./lock.ts";

/** What a writer pins. */
export const names = (writer: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${writer}/${n}`);

if (import.meta.main) {
  const [file = "", writer = "", count, kill] = process.argv.slice(2);
  for (const name of names(writer, Number(count))) {
    await updateLock(file, (models) => {
      if (kill !== undefined) process.kill(process.pid, "SIGKILL");
      models[name] = { revision: null, files: {} };
    });
  }
}
