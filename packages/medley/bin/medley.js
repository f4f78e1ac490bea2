#!/usr/bin/env node
// Plain JavaScript, since it may be started by an older Node: Medley itself runs from TypeScript source on Node 24,
// which npm has installed beside it.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const nodeMajorMin = 24;
const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));

function nodePath() {
  if (Number(process.versions.node.split(".")[0]) >= nodeMajorMin) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/bin/node`);
  } catch {
    process.stderr.write(
      `Medley needs Node ${nodeMajorMin}; this is ${process.version} and the npm package ${name} is not installed.\n` +
        `Run \`npm ci\` without --omit=optional, or use Node ${nodeMajorMin} or newer.\n`,
    );
    process.exit(1);
  }
}

// glibc keeps the memory that loading a model frees, some 200 MB, unless this is set before the process starts.
const wanted = { MALLOC_TRIM_THRESHOLD_: "1048576" };
const env = { ...wanted, ...process.env };
const node = nodePath();
if (node === process.execPath && process.env.MALLOC_TRIM_THRESHOLD_ !== undefined) {
  await import(main);
} else if (typeof process.execve === "function") {
  process.execve(node, [node, main, ...process.argv.slice(2)], env);
} else {
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: "inherit", env });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? (signal === "SIGINT" ? 130 : 1);
  });
}
