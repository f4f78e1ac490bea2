import type { TaskReport } from "@medley/training";
import type { Measurement } from "./measurement.ts";

/** Of the choices that were made on validation records, how many the test records confirm. */
export function confirmedShare(name: string, tasks: readonly TaskReport[]): Measurement {
  const decided = tasks.flatMap(({ task, spaces }) =>
    spaces
      .filter(({ verdict }) => verdict === "best" || verdict === "as_good")
      .map((space) => ({ task, ...space })),
  );
  const confirmed = decided.filter(({ decision }) => decision.test.isConfirmed);
  const value = decided.length === 0 ? 0 : confirmed.length / decided.length;
  return {
    name: `assignment, ${name}: choices that the test records confirm`,
    value,
    goal: "all, at least one",
    met: value === 1,
    detail: tasks
      .flatMap(({ task, spaces }) =>
        spaces.map(({ space, verdict, decision: { arms, chosen, test } }) => {
          const figures = arms.map((arm) => `${arm.parts[0]?.candidate} ${shown(arm.validation.mean)}`);
          return `${task} by ${space}: ${verdict}, ${arms[chosen]?.parts[0]?.candidate} (${figures.join(", ")}; test ${shown(test.chosen.mean)})`;
        }),
      )
      .join("; "),
  };
}

/** Weights learned for a task, where they beat equal ones on records that they were not learned from. */
export function weightsMeasurement(of: string, tasks: readonly TaskReport[]): Measurement {
  const learned = tasks.flatMap(({ task, weights }) => (weights === null ? [] : [{ task, ...weights }]));
  const used = learned.filter(({ isUsed }) => isUsed);
  return {
    name: `learned weights, ${of}: tasks in which they take the place of equal ones`,
    value: used.length,
    goal: "at least 1",
    met: used.length >= 1,
    detail: learned
      .map(({ task, weights, validation, test, isUsed }) => {
        const each = weights.map(({ space, weight }) => `${space} ${weight.toFixed(2)}`).join(", ");
        const gains = [validation, test].map(
          ({ difference, low, high }) => `${shown(difference)} (${shown(low)} to ${shown(high)})`,
        );
        return `${task}: ${each}, ${isUsed ? "used" : "refused"}; gain ${gains[0]} on validation, ${gains[1]} on test records`;
      })
      .join("; "),
  };
}

export function shown(value: number | undefined): string {
  return (value ?? Number.NaN).toFixed(3);
}
