import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Device } from "./device.ts";
import type { ProbeAnswer } from "./probe-program.ts";

/** What came of running a small graph on a device. */
export type DeviceProbe =
  | { readonly device: Device; readonly ok: true; readonly loadMs: number; readonly runMs: number }
  | { readonly device: Device; readonly ok: false; readonly fault: string };

/** A driver may compile shaders the first time. */
const probeMsMax = 60_000;
const outputBytesMax = 1_000_000;

/**
 * Loads and runs a small graph on a device, in a process of its own: a driver that is broken may take its process down.
 * `variables` are its environment. Never rejects.
 */
export async function probeDevice(device: Device, variables = process.env): Promise<DeviceProbe> {
  // Loading a library that is not there costs half a second and an error on stderr.
  if (device === "cuda" && !existsSync(cudaLibrary())) {
    return { device, ok: false, fault: "ONNX Runtime's CUDA library is not installed" };
  }
  const { promise, resolve } = Promise.withResolvers<DeviceProbe>();
  const program = join(import.meta.dirname, "probe-program.ts");
  const options = {
    timeout: probeMsMax,
    maxBuffer: outputBytesMax,
    killSignal: "SIGKILL",
    env: variables,
  } as const;
  execFile(process.execPath, [program, device], options, (error, stdout, stderr) => {
    const answer = answerOf(stdout);
    if (answer !== null && "loadMs" in answer) resolve({ device, ok: true, ...answer });
    else
      resolve({ device, ok: false, fault: faultOf(answer?.fault ?? error?.message ?? "no answer", stderr) });
  });
  return promise;
}

function answerOf(stdout: string): ProbeAnswer | null {
  const line = stdout.trim().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line) as ProbeAnswer;
  } catch {
    return null;
  }
}

const reasons: readonly RegExp[] = [
  // The loader's own words name the library that is missing.
  /([\w.+-]+\.so[\w.]*): cannot open shared object file/,
  /vkCreateInstance: Found no drivers/,
  /CUDA (?:failure|error)[^\n]*/i,
  /Failed to get a WebGPU adapter[^\n]*/,
];

/** The cause in what libraries print is more to the point than the error they give. */
function faultOf(message: string, stderr: string): string {
  const printed = `${stderr}\n${message}`;
  for (const reason of reasons) {
    const found = reason.exec(printed);
    if (found === null) continue;
    return found[1] === undefined ? found[0].trim() : `${found[1]} is not on this machine`;
  }
  return (message.split("\n")[0] as string).slice(0, 300);
}

/** What to do about a device that can't be used. */
export function mendOf({ device, ok }: DeviceProbe): string {
  if (ok) return "nothing: it works";
  if (device === "cuda") {
    return (
      "CUDA needs an NVIDIA driver, CUDA 12 and cuDNN 9, and ONNX Runtime's CUDA library " +
      "(ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js, or the image of infra/docker/Dockerfile.cuda)"
    );
  }
  return device === "webgpu"
    ? "WebGPU needs a GPU and its driver: on Linux Vulkan's loader (libvulkan1) and the GPU's Vulkan driver"
    : "install onnxruntime-node again for this platform";
}

function cudaLibrary(): string {
  const binding = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  return join(binding, "bin", "napi-v6", process.platform, process.arch, cudaLibraryName);
}
const cudaLibraryName =
  process.platform === "win32" ? "onnxruntime_providers_cuda.dll" : "libonnxruntime_providers_cuda.so";
