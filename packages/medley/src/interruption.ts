/** Aborts on the first SIGINT or SIGTERM; the second one ends the process at once, with 130. */
export function interruption(onFirst: () => void = () => {}): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130);
      onFirst();
      controller.abort();
    });
  }
  return controller.signal;
}
