import type { Assignment } from "./assign-collection.ts";
import type { SpacePlan } from "./decisions.ts";

/** The report as one page that needs nothing else. */
export function reportPage({ collection }: Assignment, plans: readonly SpacePlan[]): string {
  return `<!doctype html><title>${collection.name}</title>${plans.length}`;
}
