/** What `medley top` reads of a service's `/metrics`. */
export interface ServiceMetrics {
  readonly role: string;
  /** Records per stage since the process started: received at `produce` and `embed`, done at `index`. */
  readonly records: { readonly produce: number; readonly embed: number; readonly index: number };
  /** Cumulative counts by upper bound in seconds, both lanes together. */
  readonly freshness: readonly { readonly bound: number; readonly count: number }[];
}

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads the lines that this version of Medley writes; null where there are none: then it is no Medley. */
export function parseServiceMetrics(text: string): ServiceMetrics | null {
  const byName = new Map<string, Series[]>();
  for (const line of text.split("\n")) {
    const match = /^(medley_\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match === null) continue;
    const [, name, labels = "", value] = match as unknown as [string, string, string | undefined, string];
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    const series = {
      labels: Object.fromEntries(pairs.map(([, key, text]) => [key, text])),
      value: Number(value),
    };
    byName.set(name, [...(byName.get(name) ?? []), series]);
  }
  const role = byName.get("medley_info")?.[0]?.labels.role;
  if (role === undefined) return null;
  const records = (stage: string, ...outcomes: string[]) =>
    (byName.get("medley_records_total") ?? [])
      .filter(({ labels }) => labels.stage === stage && outcomes.includes(labels.outcome ?? ""))
      .reduce((sum, { value }) => sum + value, 0);
  const counts = new Map<number, number>();
  for (const { labels, value } of byName.get("medley_freshness_seconds_bucket") ?? []) {
    const bound = labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le);
    counts.set(bound, (counts.get(bound) ?? 0) + value);
  }
  return {
    role,
    records: {
      produce: records("produce", "received"),
      embed: records("embed", "received"),
      index: records("index", "indexed", "tombstoned", "superseded", "dead_letter"),
    },
    freshness: [...counts].map(([bound, count]) => ({ bound, count })).sort((a, b) => a.bound - b.bound),
  };
}
