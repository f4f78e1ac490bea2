import { MedleyError } from "@medley/core";

const answerMsMax = 5_000;

/** Asks a running service; throws `service_unavailable`, `unauthorized` or `forbidden`. `url` is its address without a path. */
export async function askService(url: string, path: string, token: string | null): Promise<Response> {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  const signal = AbortSignal.timeout(answerMsMax);
  let response: Response;
  try {
    response = await fetch(new URL(path, url), { headers, signal, redirect: "error" });
  } catch (cause) {
    throw unavailable(url, "it does not answer", cause);
  }
  if (response.ok) return response;
  await response.body?.cancel();
  const mend = "set MEDLEY_TOKEN to a token with the scope operate";
  if (response.status === 401)
    throw new MedleyError("unauthorized", `${hostOf(url)} asks for a token`, { mend });
  if (response.status === 403)
    throw new MedleyError("forbidden", `${hostOf(url)} refuses the token`, { mend });
  throw unavailable(url, `it answered ${response.status}`);
}

export function unavailable(url: string, problem: string, cause?: unknown): MedleyError {
  return new MedleyError("service_unavailable", `${hostOf(url)}: ${problem}`, {
    mend: "see that a Medley of this version serves HTTP there",
    cause,
  });
}

/** Without what may be secret in an address: user, password, query. */
function hostOf(url: string): string {
  return new URL(url).host;
}
