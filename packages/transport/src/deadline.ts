/** Rejects with `TimeoutError` where `promise` takes longer; what becomes of it later is not heard. */
export async function withDeadline<Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new DOMException(`no answer within ${timeoutMs / 1_000} s`, "TimeoutError"));
  }, timeoutMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
