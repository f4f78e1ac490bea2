import {
  type Encoder,
  type Fields,
  MedleyError,
  type RemoteSpace,
  remoteAddressProblems,
} from "@medley/core";
import type { Environment } from "../artefact/locate.ts";
import { type Accounts, processAccounts } from "./account.ts";
import { Endpoint } from "./endpoint.ts";
import { readKey } from "./endpoint-key.ts";
import { Exchange } from "./exchange.ts";
import { RemoteEncoder } from "./remote-encoder.ts";
import { RequestQueue } from "./request-queue.ts";

export interface RemoteEncoderEnvironment {
  /** Holds the key, or the name of its file. Read once, here. */
  readonly environment: Environment;
  /** Whose rate limits and budget are shared. Default: those of the process. */
  readonly accounts?: Accounts;
  /** For the jitter of retries: 0 to 1. */
  readonly random?: () => number;
}

/**
 * The encoder of a remote space. Sends nothing yet, so a wrong key, model or number of dimensions shows with the first
 * text. Throws `usage` for a key that can't be read, and `config_invalid` for an address that may not be used.
 * Closing it gives up what is under way: its callers get `encoder_unavailable`.
 */
export function openRemoteEncoder(
  space: RemoteSpace<Fields>,
  { environment, accounts = processAccounts, random = Math.random }: RemoteEncoderEnvironment,
): Encoder<string, string> & AsyncDisposable {
  const [problem] = remoteAddressProblems(space);
  if (problem !== undefined) {
    throw new MedleyError("config_invalid", `the remote encoder of ${space.model}: ${problem}`, {
      mend: "correct the space's url",
    });
  }
  const { model, dimensions, keyVariable = null, requestsInFlightMax = 4 } = space;
  const url = `${space.url.replace(/\/+$/, "")}/embeddings`;
  const key = keyVariable === null ? null : readKey(keyVariable, environment);
  const lease = accounts.open(url, key, space);
  const endpoint = new Endpoint({
    url,
    model,
    dimensions,
    asksDimensions: space.asksDimensions ?? false,
    key,
    keyVariable,
    timeoutMs: space.timeoutMs ?? 30_000,
  });
  const exchange = new Exchange({
    endpoint,
    account: lease.account,
    time: accounts.time,
    random,
    requestsInFlightMax,
    batchTextsMax: space.batchTextsMax ?? 64,
    tokensMax: space.tokensMax ?? null,
  });
  const queue = new RequestQueue({ exchange, time: accounts.time, requestsInFlightMax });
  const close = async () => {
    await queue[Symbol.asyncDispose]();
    lease[Symbol.dispose]();
  };
  return new RemoteEncoder({
    queue,
    model,
    dimensions,
    passagePrompt: space.passagePrompt ?? "",
    queryPrompt: space.queryPrompt ?? "",
    close,
  });
}
