import type pg from "pg";

const packetsPerVacuum = 200;

/**
 * Frees what removed jobs leave behind, where nobody else does: PGlite is Postgres' standalone backend, which has no
 * autovacuum, so the queue's files would grow by a packet's size with every packet. State: packets since the last vacuum.
 */
export class Vacuum {
  readonly #pool: pg.Pool;
  #packets = 0;
  #running: Promise<unknown> | null = null;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** Every so many calls frees space, beside the caller's own work; rejections are the caller's to report. */
  async packetRemoved(): Promise<void> {
    this.#packets += 1;
    if (this.#packets < packetsPerVacuum || this.#running !== null) return;
    this.#packets = 0;
    this.#running = this.#pool.query("vacuum bullmq.job, bullmq.event");
    try {
      await this.#running;
    } finally {
      this.#running = null;
    }
  }
}

/** Whether the server is one without helpers of its own, as PGlite is. */
export async function isStandalone(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ backend: string }>(
    "select backend_type as backend from pg_stat_activity where pid = pg_backend_pid()",
  );
  return rows[0]?.backend === "standalone backend";
}
