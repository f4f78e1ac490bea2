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

export const mutations = {
  "the store's version guard is gone": { rules: { versionGuard: false } },
  "rows of a write are locked in the order they came": { rules: { sortsById: false } },
  "the highest offset acknowledged is committed": { commits: "highest acknowledged" },
  "a delete removes its row": { rules: { tombstones: false } },
  "dead letters are not waited for": {
    ports: {
      store: (store) => ({
        ...store,
        addDeadLetters: async (letters) => {
          store.addDeadLetters(letters).catch(() => {});
        },
      }),
    },
  },
  "what is another's by now goes on": { ports: { signal: () => neverAborted } },
} as const satisfies Record<string, Mutation>;
