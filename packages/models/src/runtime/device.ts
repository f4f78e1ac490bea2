import { MedleyError } from "@medley/core";
import { type DeviceProbe, mendOf, probeDevice } from "./probe-device.ts";

/** Where models run. `webgpu` is any GPU that Vulkan, Metal or Direct3D 12 reach; `cuda` is NVIDIA's own, and faster there. */
export const devices = ["cpu", "cuda", "webgpu"] as const;
export type Device = (typeof devices)[number];

export const deviceChoices = ["auto", ...devices] as const;
/**
 * `auto` is CUDA where it works, else the CPU. Not WebGPU: drivers that compute on the CPU offer themselves as GPUs, and
 * are a thousand times slower than ONNX Runtime's own kernels for it.
 */
export type DeviceChoice = (typeof deviceChoices)[number];

/** Throws `device_unavailable`, with what is missing, where a GPU is asked for that can't be used. */
export async function chooseDevice(
  choice: DeviceChoice,
  probe: (device: Device) => Promise<DeviceProbe> = probeDevice,
): Promise<Device> {
  if (choice === "cpu") return "cpu";
  const probed = await probe(choice === "auto" ? "cuda" : choice);
  if (probed.ok) return probed.device;
  if (choice === "auto") return "cpu";
  throw new MedleyError("device_unavailable", `${choice} can't run models here: ${probed.fault}`, {
    mend: mendOf(probed),
  });
}
