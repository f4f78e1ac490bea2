import { systemTimers } from "./timers.ts";

/** Rejects with `TimeoutError` where `promise` takes longer; what becomes of it later is not heard. */
export async function withDeadline<Value>(
  promise: Promise<Value>,
  timeoutMs: number,
  timers = systemTimers,
): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const cancel = timers.after(timeoutMs, () => {
    late.reject(new DOMException(`no answer within ${timeoutMs / 1_000} s`, "TimeoutError"));
  });
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    cancel();
  }
}
