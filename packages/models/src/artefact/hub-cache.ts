import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Environment } from "./locate.ts";

/** How this machine uses the hub, from the variables that all of Hugging Face's tools obey. */
export interface HubSettings {
  /** Folder of the cache; `undefined`: there is not even a home folder. */
  readonly cache: string | undefined;
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly offline: boolean;
  readonly token: string | undefined;
}

/** The order of huggingface_hub's constants.py. */
export function hubCache(environment: Environment): string | undefined {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE } = environment;
  const home = hubHome(environment);
  return HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || (home && join(home, "hub"));
}

function hubHome({ HF_HOME, XDG_CACHE_HOME, HOME, USERPROFILE }: Environment): string | undefined {
  if (HF_HOME) return HF_HOME;
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, "huggingface");
  const home = HOME || USERPROFILE;
  return home ? join(home, ".cache", "huggingface") : undefined;
}

export async function hubSettings(environment: Environment): Promise<HubSettings> {
  return {
    cache: hubCache(environment),
    endpoint: (environment.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, ""),
    offline: /^(1|true|yes|on)$/i.test(environment.HF_HUB_OFFLINE ?? ""),
    token: await hubToken(environment),
  };
}

/** `HF_TOKEN`, else the file that `hf auth login` writes. */
async function hubToken(environment: Environment): Promise<string | undefined> {
  if (environment.HF_TOKEN) return environment.HF_TOKEN.trim();
  const home = hubHome(environment);
  const path = environment.HF_TOKEN_PATH || (home && join(home, "token"));
  if (!path) return undefined;
  try {
    return (await readFile(path, "utf8")).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** `models--org--name`: holds `blobs` by hash, `refs` by name, `snapshots` by commit with links to blobs. */
export function repositoryFolder(cache: string, id: string): string {
  return join(cache, `models--${id.replaceAll("/", "--")}`);
}
