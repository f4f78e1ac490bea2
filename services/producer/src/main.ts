import { runService } from "medley";

/** Takes records over HTTP, checks them and puts them in the queue. Configured as docs/OPERATIONS.md says; drains on SIGTERM. */
await runService({ name: "producer", stages: [], produces: true, searches: false });
