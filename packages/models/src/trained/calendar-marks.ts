const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Each between -.5 and .5, in UTC. */
const markOf = {
  minute: (date: Date) => date.getUTCMinutes() / 59 - 0.5,
  hour: (date: Date) => date.getUTCHours() / 23 - 0.5,
  // Monday first, as pandas counts.
  weekday: (date: Date) => ((date.getUTCDay() + 6) % 7) / 6 - 0.5,
  monthDay: (date: Date) => (date.getUTCDate() - 1) / 30 - 0.5,
  yearDay: (date: Date) =>
    Math.floor(
      (Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()) -
        Date.UTC(date.getUTCFullYear(), 0, 1)) /
        dayMs,
    ) /
      365 -
    0.5,
};

/**
 * What the calendar says of a step, as the published code of Informer and Autoformer gives it (`timeF`): the position in the
 * hour, the day, the week, the month and the year, those only that steps of `stepMs` can tell apart.
 */
export function calendarMarks(stepMs: number | null): readonly (keyof typeof markOf)[] {
  if (stepMs === null) return [];
  if (stepMs < hourMs) return ["minute", "hour", "weekday", "monthDay", "yearDay"];
  if (stepMs < dayMs) return ["hour", "weekday", "monthDay", "yearDay"];
  return stepMs < 7 * dayMs ? ["weekday", "monthDay", "yearDay"] : ["monthDay", "yearDay"];
}

/** [steps, marks] row-major, of the steps from `startMs` on. */
export function marksOf(startMs: number, stepMs: number, steps: number): Float32Array {
  const names = calendarMarks(stepMs);
  const marks = new Float32Array(steps * names.length);
  for (let step = 0; step < steps; step += 1) {
    const date = new Date(startMs + step * stepMs);
    for (const [at, name] of names.entries()) marks[step * names.length + at] = markOf[name](date);
  }
  return marks;
}
