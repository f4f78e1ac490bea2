import { vi } from "vitest";

// A test starts several processes, each with its own Postgres and model: that takes its time on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

export * from "./workplace.ts";
