import { expect, test } from "vitest";
import { chooseDevice, type Device } from "./device.ts";
import { type DeviceProbe, mendOf, probeDevice } from "./probe-device.ts";

const works = async (device: Device): Promise<DeviceProbe> => ({ device, ok: true, loadMs: 1, runMs: 1 });
const fails = async (device: Device): Promise<DeviceProbe> => ({ device, ok: false, fault: "no driver" });
const never = () => expect.fail("the CPU needs no probe");

test("auto takes CUDA where it works, else the CPU; a device that is asked for must work", async () => {
  expect(await chooseDevice("auto", works)).toBe("cuda");
  expect(await chooseDevice("auto", fails)).toBe("cpu");
  expect(await chooseDevice("cpu", never)).toBe("cpu");
  expect(await chooseDevice("webgpu", works)).toBe("webgpu");
  await expect(chooseDevice("webgpu", fails)).rejects.toMatchObject({
    code: "device_unavailable",
    message: "webgpu can't run models here: no driver",
    mend: expect.stringContaining("libvulkan1"),
  });
  await expect(chooseDevice("cuda", fails)).rejects.toMatchObject({ mend: expect.stringContaining("cuDNN") });
});

test("a small graph runs on the CPU", async () => {
  expect(await probeDevice("cpu")).toMatchObject({ device: "cpu", ok: true });
});

test("without a driver the cause is named, not the place in ONNX Runtime's source", async () => {
  const probed = await probeDevice("webgpu", {
    ...process.env,
    VK_DRIVER_FILES: "none",
    VK_ICD_FILENAMES: "none",
  });
  if (probed.ok) return; // Not Vulkan: this machine's GPU is reached in another way.
  expect(probed.fault).not.toMatch(/onnxruntime_src|\n/);
  expect(probed.fault.length).toBeGreaterThan(10);
  expect(mendOf(probed)).toContain("Vulkan");
});

test("a program that ends without an answer is a fault", async () => {
  const probed = await probeDevice("nonsense" as Device);
  expect(probed).toMatchObject({ ok: false, fault: expect.stringMatching(/\w/) });
});
