import { expect, onTestFinished, test, vi } from "vitest";
import { TrainingLine } from "./training-line.ts";

test("a stage that comes again, with less done or another number in all, has a rate of its own", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const lines: string[] = [];
  const stream = { isTTY: false, write: (text: string) => lines.push(text.trim()) };
  const line = new TrainingLine("reviews.meaning", { stream: stream as never });
  const update = (done: number, total: number) =>
    line.update({ stage: "frozen model", done, total, unit: "values" });
  const shownAfter10s = () => {
    lines.length = 0;
    vi.advanceTimersByTime(10_000);
    return lines.at(-1);
  };
  update(0, 40);
  update(30, 40);
  expect(shownAfter10s()).toContain("30/40  3.0 values/s");
  update(0, 40);
  update(20, 40);
  expect(shownAfter10s()).toContain("20/40  2.0 values/s");
  update(20, 50);
  update(30, 50);
  expect(shownAfter10s()).toContain("30/50  1.0 values/s");
  line.stop();
});
