import { createPostgresBackend, Queue } from "bullmq";
import { faultOf } from "../../lease-consumer.ts";

const connectMsMax = 30_000;

/**
 * Creates or updates BullMQ's own schema, `bullmq`, in one transaction; nothing happens where it is up to date. Needs the
 * right to create a schema, which the running services don't. Throws `MedleyError` `transport_unavailable`.
 */
export async function migrateBullmq(connectionString: string): Promise<void> {
  const queue = new Queue(
    "medley-migration",
    {
      connection: { connectionString, migrate: true, max: 1, connectionTimeoutMillis: connectMsMax },
      skipMetasUpdate: true,
    },
    createPostgresBackend,
  );
  queue.on("error", () => {});
  try {
    await queue.waitUntilReady();
  } catch (error) {
    throw faultOf(error, "Postgres", "migrating the schema bullmq");
  } finally {
    await queue.close();
  }
}
