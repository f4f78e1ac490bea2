import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { takeDataFolder } from "./data-folder.ts";
import { openEmbeddedPostgres } from "./embedded-postgres.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "medley-folder-"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

test("a folder that is open is refused, naming the process; closed, it opens again", () => {
  const folder = takeDataFolder(dataDir);
  expect(() => takeDataFolder(dataDir)).toThrow(
    expect.objectContaining({
      code: "data_in_use",
      message: expect.stringContaining(`process ${process.pid}`),
    }),
  );
  folder.release();
  takeDataFolder(dataDir).release();
});

/** The number of a process that has ended. */
async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await once(child, "exit");
  return child.pid as number;
}

test("the lock of a process that died is taken over", async () => {
  writeFileSync(
    join(dataDir, "lock"),
    JSON.stringify({ pid: await deadProcess(), host: hostname(), startedAt: "1" }),
  );
  takeDataFolder(dataDir).release();
});

test.runIf(existsSync("/proc"))("the lock of an earlier process of the same number is taken over", () => {
  // A container's main process has the same number each time.
  writeFileSync(
    join(dataDir, "lock"),
    JSON.stringify({ pid: process.pid, host: hostname(), startedAt: "1" }),
  );
  takeDataFolder(dataDir).release();
});

test("a lock that can't be read is taken over", () => {
  writeFileSync(join(dataDir, "lock"), "");
  takeDataFolder(dataDir).release();
});

test("the lock of another host is respected, and the mend says which file it is", () => {
  writeFileSync(join(dataDir, "lock"), JSON.stringify({ pid: 1, host: "elsewhere", startedAt: "1" }));
  expect(() => takeDataFolder(dataDir)).toThrow(
    expect.objectContaining({ code: "data_in_use", mend: expect.stringContaining(join(dataDir, "lock")) }),
  );
});

test("a folder that can't be made is refused", () => {
  writeFileSync(join(dataDir, "file"), "");
  expect(() => takeDataFolder(join(dataDir, "file"))).toThrow(
    expect.objectContaining({ code: "data_not_writable" }),
  );
  expect(() => takeDataFolder(join(dataDir, "file", "below"))).toThrow(
    expect.objectContaining({ code: "data_not_writable" }),
  );
});

test("a folder of a newer format is refused, and left as it is", () => {
  writeFileSync(join(dataDir, "format"), "2\n");
  expect(() => takeDataFolder(dataDir)).toThrow(expect.objectContaining({ code: "data_too_new" }));
  expect(readFileSync(join(dataDir, "format"), "utf8")).toBe("2\n");
  expect(existsSync(join(dataDir, "lock"))).toBe(false);
});

test("a first start that broke off is begun anew, a folder that was ready never is", () => {
  takeDataFolder(dataDir).release();
  mkdirSync(join(dataDir, "postgres"));
  writeFileSync(join(dataDir, "postgres", "half"), "");
  const again = takeDataFolder(dataDir);
  expect(existsSync(join(dataDir, "postgres", "half"))).toBe(false);
  mkdirSync(again.engineFolder);
  writeFileSync(join(again.engineFolder, "whole"), "");
  again.markReady();
  again.release();
  takeDataFolder(dataDir).release();
  expect(existsSync(join(dataDir, "postgres", "whole"))).toBe(true);
});

test("what was acknowledged is there after the process was killed, each time", async () => {
  const fixture = fileURLToPath(new URL("./kill-writer.fixture.ts", import.meta.url));
  for (const rowsBeforeKill of [5, 200, 1_000]) {
    const writer = spawn(process.execPath, [fixture, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    let lines = 0;
    writer.stdout.on("data", (text: Buffer) => {
      said += text;
      lines += text.toString().split("\n").length - 1;
      if (lines >= rowsBeforeKill) writer.kill("SIGKILL");
    });
    await once(writer, "close");
    const acknowledged = Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1));
    const database = await openEmbeddedPostgres({ dataDir, port: 0 });
    const client = new pg.Client({ connectionString: database.connectionString });
    await client.connect();
    const { rows } = await client.query("select count(*)::int as rows, max(n) as highest from acknowledged");
    expect(rows[0].rows).toBe(rows[0].highest);
    // One more may have been written whose answer nobody heard.
    expect(rows[0].highest - acknowledged).toBeOneOf([0, 1]);
    await client.end();
    await database.close();
  }
});
