import type { Consumer } from "@medley/core";
import { messageOf } from "@medley/pipeline";
import { listenForGenerations } from "@medley/store";
import type { Database } from "./database.ts";
import type { Fault } from "./deployment.ts";
import type { Generations } from "./generations.ts";
import { runWorkLoop } from "./work-loop.ts";

export interface FollowOptions {
  readonly database: Pick<Database, "kind" | "connectionString">;
  readonly onFault: (fault: Fault) => void;
}

/** Where a server tells of changes: for what it could not tell, and so that others know that this process is there. */
const toldLookMs = 10_000;
/** The embedded engine tells nobody, and is near. */
const untoldLookMs = 500;
const reconnectMs = 1_000;

/** Looks at the generations whenever they change, and from time to time, until closed. */
export function followGenerations(
  generations: Generations,
  { database, onFault }: FollowOptions,
): readonly Consumer[] {
  const onError = (error: unknown) => onFault({ part: "database", message: messageOf(error) });
  const isTold = database.kind === "server";
  const look = runWorkLoop({
    step: () => generations.look().then(() => 0),
    idleMs: isTold ? toldLookMs : untoldLookMs,
    onFault: onError,
  });
  if (!isTold) return [look];
  const { connectionString } = database;
  const onChange = () => void generations.look().catch(onError);
  const listen = runWorkLoop({
    step: (signal) => listenForGenerations({ connectionString, onChange, signal }).then(() => 0),
    idleMs: reconnectMs,
    onFault: onError,
  });
  return [look, listen];
}
