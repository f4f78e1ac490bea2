import { runService } from "medley";

/** Takes records from the queue, encodes what changed and sends fused vectors on. Configured as docs/OPERATIONS.md says; drains on SIGTERM. */
await runService({ name: "embedding-worker", stages: ["embed"], produces: false, searches: false });
