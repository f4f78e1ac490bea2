import { runService } from "medley";

/** Answers searches over HTTP. Configured as docs/OPERATIONS.md says; drains on SIGTERM. */
await runService({ name: "query", stages: [], produces: false, searches: true });
