import { type Channel, type Lane, lanes, MedleyError } from "@medley/core";
import type { ReadinessCheck } from "@medley/http";
import type { Deployment } from "./deployment/deployment.ts";
import type { Role } from "./serve.ts";

/**
 * What a role needs to do its work, and nothing else: a producer goes on while Postgres is away, as long as its lane takes
 * records; a lane that is away does not keep searches from being answered.
 */
export function readinessOf(
  deployment: Deployment,
  role: Role,
  stopping: AbortSignal,
): Readonly<Record<string, ReadinessCheck>> {
  const { stages, produces, searches } = role;
  const checks: Record<string, ReadinessCheck> = {
    draining: async () => {
      if (stopping.aborted) throw new MedleyError("draining", "this process is about to end");
    },
  };
  if (stages.length > 0 || searches) {
    checks.store = async () => void (await deployment.pool.query("select 1"));
  }
  const channel: Channel = stages.length > 0 && !stages.includes("embed") ? "vectors" : "records";
  for (const lane of lanesOf({ stages, produces })) {
    checks[`${lane} lane`] = async () => void (await deployment.lanes[lane].backlog(channel));
  }
  const encoders = [...deployment.collections.values()].flatMap((collection) => collection.encoders);
  if ((searches || stages.includes("embed")) && encoders.some(({ usesModel }) => usesModel)) {
    checks.models = async () => {
      if (!deployment.runtime.ready) throw new MedleyError("encoder_unavailable", "a model is not loaded");
    };
  }
  return checks;
}

/** HTTP puts records into the stream; stages take from both lanes. */
function lanesOf({ stages, produces }: Pick<Role, "stages" | "produces">): readonly Lane[] {
  if (stages.length > 0) return lanes;
  return produces ? ["stream"] : [];
}
