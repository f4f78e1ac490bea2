import { type Collection, MedleyError, recordIdBytesMax, textProblem } from "@medley/core";
import { collectionNamed } from "@medley/pipeline";
import type { Routes } from "../server.ts";

export interface UsersPorts {
  readonly collections: ReadonlyMap<string, Collection>;
  /** Resolves when the user's events and profile are gone, to how many events there were. */
  readonly forgetUser: (collection: string, user: string) => Promise<number>;
}

/** What was taken away. */
export interface ForgottenAnswer {
  readonly events: number;
}

/** `DELETE /v1/collections/:name/users/:user`: answers `ForgottenAnswer` with 200 once it is done; again, or for nobody, with 0. */
export function usersRoutes({ collections, forgetUser }: UsersPorts): Routes {
  return (app) => {
    app.delete<{ Params: { name: string; user: string } }>(
      "/v1/collections/:name/users/:user",
      { config: { scope: "ingest" } },
      async (request): Promise<ForgottenAnswer> => {
        const { name, user } = request.params;
        collectionNamed(collections, name);
        const problem =
          Buffer.byteLength(user) > recordIdBytesMax
            ? `is longer than ${recordIdBytesMax} bytes`
            : textProblem(user);
        if (problem !== undefined) throw new MedleyError("usage", `the user ${problem}`);
        return { events: await forgetUser(name, user) };
      },
    );
  };
}
