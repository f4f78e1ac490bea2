import type { LogOptions } from "./log.ts";
import type { StagePorts } from "./services.ts";
import type { StoreRules } from "./store.ts";

/** One of the things that keep a promise, taken away at a port: the code between the ports is the real one. */
export interface Mutation {
  readonly rules?: Partial<StoreRules>;
  readonly ports?: Partial<StagePorts>;
  readonly commits?: LogOptions["commits"];
}

const neverAborted = new AbortController().signal;

/** By what is gone: how, and the promises of which one is then broken. */
export const mutations: Readonly<Record<string, { mutation: Mutation; broken: RegExp }>> = {
  "the store's version guard is gone": {
    mutation: { rules: { versionGuard: false } },
    broken: /^P[23]: /,
  },
  "rows of a write are locked in the order they came": {
    mutation: { rules: { sortsById: false } },
    broken: /^P6: deadlock/,
  },
  "the highest offset acknowledged is committed": {
    mutation: { commits: "highest acknowledged" },
    broken: /^P1: /,
  },
  "a delete removes its row": {
    mutation: { rules: { tombstones: false } },
    broken: /^P3: /,
  },
  "dead letters are not waited for": {
    mutation: {
      ports: {
        store: (store) => ({
          ...store,
          addDeadLetters: async (letters) => {
            store.addDeadLetters(letters).catch(() => {});
          },
        }),
      },
    },
    broken: /^P1: /,
  },
  "what is another's by now goes on": {
    mutation: { ports: { signal: () => neverAborted } },
    broken: /^P2: .* another's by now/,
  },
};
