import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Its folder, by infra/software-gpu.sh: a Vulkan driver that computes on the CPU. */
const folder = process.env.MEDLEY_SOFTWARE_GPU;

test.skipIf(folder === undefined)(
  "WebGPU gives texts and pictures the vectors that the CPU gives",
  async () => {
    const driver = join(folder as string, "vk_swiftshader_icd.json");
    const env = {
      ...process.env,
      VK_DRIVER_FILES: driver,
      VK_ICD_FILENAMES: driver,
      XDG_RUNTIME_DIR: folder,
      LD_LIBRARY_PATH: folder,
    };
    // In a process of its own, since the driver is chosen before a process starts.
    const program = fileURLToPath(new URL("./webgpu-vectors.fixture.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [program], { env, timeout: 180_000 });
    const { device, ...differences } = JSON.parse(stdout.trim().split("\n").at(-1) as string);
    expect(device).toBe("webgpu");
    const expected = { texts: Array(3), searches: Array(1), pictures: Array(3) };
    for (const [kind, { length }] of Object.entries(expected)) {
      expect(differences[kind], kind).toHaveLength(length);
      expect(Math.max(...differences[kind]), kind).toBeLessThanOrEqual(1e-5);
    }
  },
  200_000,
);
