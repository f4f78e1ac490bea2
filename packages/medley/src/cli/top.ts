import { setTimeout as sleep } from "node:timers/promises";
import { type Trend, trendOf } from "../watch/trend.ts";
import { openWatch, type Sight } from "../watch/watch.ts";
import { type Context, settingsOf } from "./context.ts";
import type { Outcome } from "./output.ts";
import { lineOf, screenOf } from "./top-screen.ts";

export interface TopArguments {
  readonly intervalSeconds: number;
  readonly url: readonly string[];
}

const enterScreen = "\u001b[?1049h\u001b[?25l";
const leaveScreen = "\u001b[?25h\u001b[?1049l";
const clearScreen = "\u001b[H\u001b[2J";

/** `medley top`: looks again and again until q or Ctrl-C; a screen on a terminal, a line a look elsewhere, or NDJSON. */
export async function topCommand(context: Context, given: TopArguments): Promise<Outcome> {
  // A port of its own: `medley up` may come and want the configured one.
  const settings = { ...settingsOf(context), postgresPort: 0 };
  await using watch = await openWatch({ settings, urls: given.url });
  const json = context.global.json ?? false;
  using view = json || !process.stdout.isTTY ? linesView(json) : screenView();
  const signal = AbortSignal.any([context.signal, view.quit]);
  let before: Sight | null = null;
  while (!signal.aborted) {
    const now: Sight = await watch.look();
    view.show(trendOf(before, now));
    before = now;
    await sleep(given.intervalSeconds * 1000, undefined, { signal }).catch(() => {});
  }
  // Everything has been printed.
  return { exitCode: 0, data: undefined, text: "" };
}

interface View extends Disposable {
  /** Aborted when the user asks for the end in a way that is no signal. */
  readonly quit: AbortSignal;
  show(trend: Trend): void;
}

function linesView(json: boolean): View {
  // A reader that has gone (`| head`) is how this ends in a pipe.
  const gone = new AbortController();
  const onError = () => gone.abort();
  process.stdout.on("error", onError);
  return {
    quit: gone.signal,
    show: (trend) => {
      const line = json ? JSON.stringify({ schemaVersion: 1, ...trend }) : lineOf(trend);
      process.stdout.write(`${line}\n`);
    },
    [Symbol.dispose]: () => {},
  };
}

/** Has the terminal to itself until disposed, and leaves it as it was. */
function screenView(): View {
  const quit = new AbortController();
  const { stdin, stdout } = process;
  // In raw mode Ctrl-C is a key like any other.
  const onKey = (key: Buffer) => {
    if (key.includes("q") || key.includes(3)) quit.abort();
  };
  stdout.write(enterScreen);
  if (stdin.isTTY) stdin.setRawMode(true).on("data", onKey);
  return {
    quit: quit.signal,
    show: (trend) => {
      // Some terminals say that they have no size.
      const [rows, columns] = [stdout.rows || 24, stdout.columns || 80];
      const lines = screenOf(trend)
        .split("\n")
        .slice(0, rows - 1);
      stdout.write(`${clearScreen}${lines.map((line) => line.slice(0, columns)).join("\r\n")}`);
    },
    [Symbol.dispose]: () => {
      if (stdin.isTTY) stdin.off("data", onKey).setRawMode(false).pause();
      stdout.write(leaveScreen);
    },
  };
}
