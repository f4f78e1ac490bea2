import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Its folder, by infra/software-gpu.sh: a Vulkan driver that computes on the CPU. */
const folder = process.env.MEDLEY_SOFTWARE_GPU;

test("training steps on WebGPU have the CPU's losses", { timeout: 200_000 }, async (context) => {
  if (folder === undefined) return context.skip("MEDLEY_SOFTWARE_GPU names no driver's folder");
  const driver = join(folder, "vk_swiftshader_icd.json");
  const env = {
    ...process.env,
    VK_DRIVER_FILES: driver,
    VK_ICD_FILENAMES: driver,
    XDG_RUNTIME_DIR: folder,
    LD_LIBRARY_PATH: folder,
  };
  // In a process of its own, since the driver is chosen before a process starts.
  const program = fileURLToPath(new URL("./webgpu-step.fixture.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env, timeout: 180_000 });
  const { cpu, webgpu, trained } = JSON.parse(stdout.trim().split("\n").at(-1) as string);
  expect(cpu).toHaveLength(4);
  expect(cpu[3]).toBeLessThan(cpu[0]);
  for (const [at, loss] of cpu.entries()) expect(Math.abs(webgpu[at] - loss)).toBeLessThanOrEqual(1e-3);
  expect(Math.abs(trained.webgpu - trained.cpu)).toBeLessThanOrEqual(1e-3);
  // Other kernels round otherwise: the same bits would be the CPU's.
  expect(trained.webgpu).not.toBe(trained.cpu);
});
