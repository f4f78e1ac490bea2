import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import { chooseDevice, type DeviceProbe, devices, mendOf, probeDevice } from "@medley/models";
import { type Context, settingsOf } from "./context.ts";
import type { Outcome } from "./output.ts";

/**
 * `medley doctor gpu`: runs a small graph on each device and says what those that can't do it lack. It fails where the
 * device that is configured is one of them.
 */
export async function doctorGpuCommand(context: Context): Promise<Outcome> {
  const { device: choice } = settingsOf(context);
  const probes: DeviceProbe[] = [];
  for (const device of devices) probes.push(await probeDevice(device)); // One by one: each is timed.
  const lines = probes.map((probe) => {
    const detail = probe.ok
      ? `loaded in ${Math.round(probe.loadMs)} ms, first run ${Math.round(probe.runMs)} ms`
      : `${probe.fault}\n${" ".repeat(14)}${mendOf(probe)}`;
    return `${probe.ok ? "ok  " : "no  "}  ${probe.device.padEnd(6)}  ${detail}`;
  });
  const { device, verdict } = await chosen();
  return {
    exitCode: device === null ? 1 : 0,
    data: {
      choice,
      device,
      probes: probes.map((probe) => ({ ...probe, mend: probe.ok ? null : mendOf(probe) })),
    },
    text: [...lines, verdict].join("\n"),
  };

  async function chosen() {
    const probedAs = async (name: string) => {
      const probe = probes.find((one) => one.device === name);
      assert(probe !== undefined);
      return probe;
    };
    try {
      const device = await chooseDevice(choice, probedAs);
      return { device, verdict: `MEDLEY_DEVICE is ${choice}: models run on ${device}` };
    } catch (error) {
      if (!(error instanceof MedleyError)) throw error;
      return { device: null, verdict: `MEDLEY_DEVICE is ${choice}: ${error.message}` };
    }
  }
}
