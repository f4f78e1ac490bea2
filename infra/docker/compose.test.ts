/** What can be said of docker-compose.yml without Docker: that it names what is there, and lets nobody in from outside. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly profiles?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
}

const compose: { services: Record<string, Service>; volumes: Record<string, null> } = parse(
  read("docker-compose.yml"),
  { merge: true },
);
const services = Object.entries(compose.services);

test("without a profile: Postgres, Redis, Kafka and the four services", () => {
  const always = services.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name);
  expect(always.toSorted()).toEqual(
    ["migrate", "producer", "embedding-worker", "indexer", "query", "postgres", "redis", "kafka"].toSorted(),
  );
  const profiles = new Set(services.flatMap(([, service]) => service.profiles ?? []));
  expect([...profiles].toSorted()).toEqual(["cuda", "observability"]);
});

test.for(services)("%s names files, services and volumes that are there", ([, service]) => {
  const { build, command = [], volumes = [], depends_on: needed = {} } = service;
  const mounted = volumes.map((volume) => volume.replace(/\$\{\w+:-(.*?)\}/, "$1").split(":")[0] as string);
  const paths = mounted.filter((source) => source.startsWith("."));
  const programs = build === undefined ? [] : [build.dockerfile, command[0] as string];
  expect([...paths, ...programs].filter((path) => !existsSync(join(root, path)))).toEqual([]);
  expect(mounted.filter((source) => !source.startsWith(".") && !(source in compose.volumes))).toEqual([]);
  expect(Object.keys(needed).filter((name) => !(name in compose.services))).toEqual([]);
});

test.for(services)(
  "%s has a pinned image, and ports on loopback only",
  ([, { image, build, ports = [] }]) => {
    if (build === undefined) expect(image).toMatch(/:[\w.]*\d[\w.-]*$/);
    expect(ports.filter((port) => !port.startsWith("127.0.0.1:"))).toEqual([]);
  },
);

test("every MEDLEY variable it sets is one that is read", () => {
  const set = services.flatMap(([, { environment = {} }]) => Object.keys(environment));
  const known = read("packages/medley/src/config/settings.ts") + read("packages/medley/src/run-service.ts");
  expect([...new Set(set)].filter((name) => name.startsWith("MEDLEY_") && !known.includes(name))).toEqual([]);
});

test.for(["infra/docker/Dockerfile", "infra/docker/Dockerfile.cuda"])(
  "%s installs what the lock file pins, runs no install scripts and is not root",
  (path) => {
    const text = read(path);
    expect(text).toContain("npm ci --omit=dev --ignore-scripts");
    expect(text).toMatch(/^USER (?!root)/m);
    expect(text.match(/^FROM (\S+)/gm)?.filter((from) => !/:\S*\d/.test(from))).toEqual([]);
  },
);
