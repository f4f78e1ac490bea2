import { monitorEventLoopDelay } from "node:perf_hooks";

const resolutionMs = 2;

/** How late the main thread's timers are while the work goes on; an idle loop shows the monitor's own interval. */
export async function delaysDuring(work: () => Promise<unknown>) {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  await work();
  histogram.disable();
  const ms = (nanoseconds: number) => nanoseconds / 1e6;
  return {
    p50Ms: ms(histogram.percentile(50)),
    p99Ms: ms(histogram.percentile(99)),
    maxMs: ms(histogram.max),
  };
}
