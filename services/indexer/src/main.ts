import { runService } from "medley";

/** Takes vectors from the queue and writes rows, guarded by version. Configured as docs/OPERATIONS.md says; drains on SIGTERM. */
await runService({ name: "indexer", stages: ["index"], produces: false, searches: false });
