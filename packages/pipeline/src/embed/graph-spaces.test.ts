import {
  type Collection,
  checkConfig,
  type Generation,
  type Neighbour,
  type NeighbourhoodReader,
  type NodeInput,
  type RecordFields,
  type VectorEnvelope,
} from "@medley/core";
import { beforeEach, expect, test } from "vitest";
import { collectionEncoders } from "../collection-encoders.ts";
import { pipelineCounters } from "../counters.ts";
import { delivery, MemoryStore, SentPackets, StubEncoder, segmentOf, upsert } from "../ports.fixture.ts";
import { carryRows } from "./carry-rows.ts";
import { embed } from "./embed.ts";

const [papers] = checkConfig({
  collections: {
    papers: {
      fields: { title: "text", body: "text", cites: "edges" },
      spaces: {
        // Before the spaces that it reads: order plays no part.
        graph: { encoder: "graphsage", field: "cites", features: ["body", "title"], dimensions: 4 },
        walks: { encoder: "node2vec", field: "cites", dimensions: 4 },
        title: { encoder: "text", field: "title" },
        body: { encoder: "text", field: "body" },
      },
    },
  },
}) as [Collection];

let store: MemoryStore;
let graph: NeighbourhoodReader | undefined;
let encoders: Record<"graph" | "walks" | "title" | "body", StubEncoder>;

beforeEach(() => {
  store = new MemoryStore();
  graph = undefined;
  encoders = {
    graph: new StubEncoder("graph-1"),
    walks: new StubEncoder("walks-1"),
    title: new StubEncoder("title-1"),
    body: new StubEncoder("body-1"),
  };
});

/** Embeds one record and keeps its row, as the indexer would; answers what each encoder was given. */
async function embedded(version: number, fields: RecordFields): Promise<Record<string, unknown[]>> {
  const transport = new SentPackets();
  const opened = collectionEncoders(papers, Object.values(encoders));
  const ports = {
    collections: new Map([["papers", opened]]),
    ...(graph === undefined ? {} : { graph }),
    store,
    transport,
    counters: pipelineCounters(),
  };
  const sent = delivery([{ ...upsert("a", version), fields }]);
  const packet = { ...sent.packet, collection: "papers" };
  await embed(ports, { ...sent, packet } as never, new AbortController().signal);
  await store.writeRows("papers", transport.vectors as VectorEnvelope[], null);
  const given = Object.entries(encoders).map(([name, encoder]) => [name, encoder.batches.flat()]);
  for (const encoder of Object.values(encoders)) encoder.batches.length = 0;
  return Object.fromEntries(given);
}

const record = { title: "one", body: "two", cites: { b: 1 } };

test("a node's encoder is given the record's id and edges, and the segments of the spaces it names", async () => {
  const given = await embedded(1, record);
  expect(given.walks).toEqual([{ id: "a", edges: { b: 1 } }]);
  const [node] = given.graph as [NodeInput];
  expect(node).toMatchObject({ id: "a", edges: { b: 1 } });
  expect([...(node.features ?? [])]).toEqual([...segmentOf("two"), ...segmentOf("one")]);
});

test("a segment that reads others changes where they do, and is copied where nothing did", async () => {
  await embedded(1, record);
  expect(await embedded(2, record)).toEqual({ graph: [], walks: [], title: [], body: [] });
  const given = await embedded(3, { ...record, title: "three" });
  expect(given).toMatchObject({ walks: [], title: ["three"], body: [] });
  // The body's part was copied from the row, the title's is new.
  const [node] = given.graph as [NodeInput];
  expect([...(node.features ?? [])]).toEqual([...segmentOf("two"), ...segmentOf("three")]);
});

test("an edge that came costs the graph's segments alone; a record without the field has none", async () => {
  await embedded(1, record);
  const edges = { b: 1, c: 2 };
  expect(await embedded(2, { ...record, cites: edges })).toMatchObject({
    walks: [{ id: "a", edges }],
    graph: [{ edges }],
    title: [],
    body: [],
  });
  expect(await embedded(3, { ...record, cites: null })).toEqual({
    graph: [],
    walks: [],
    title: [],
    body: [],
  });
  expect([...(store.rows.get("a") as VectorEnvelope).vector.subarray(0, 8)]).toEqual(Array(8).fill(0));
});

test("what neighbours say is given to the encoder, and another state of theirs is another segment", async () => {
  const neighbour: Neighbour = { id: "b", weight: 1, features: Float32Array.of(1), neighbours: [] };
  const asked: unknown[] = [];
  let state = Uint8Array.of(1);
  graph = {
    readNeighbourhoods: async (...given) => {
      asked.push(given);
      return new Map([["a", { neighbours: [neighbour], state }]]);
    },
  };
  const given = await embedded(1, record);
  expect(asked).toEqual([[{ collection: "papers", generation: 1 }, "graph", [{ id: "a", edges: { b: 1 } }]]]);
  expect(given.graph).toMatchObject([{ id: "a", edges: { b: 1 }, neighbours: [neighbour] }]);
  expect(given.walks).toEqual([{ id: "a", edges: { b: 1 } }]);
  expect((await embedded(2, record)).graph).toEqual([]);
  state = Uint8Array.of(2);
  expect(await embedded(3, record)).toMatchObject({ graph: [{ id: "a" }], walks: [], title: [], body: [] });
});

test("carried to another generation it is copied where nothing that it is made of is other, else made of what neighbours say there", async () => {
  await embedded(1, record);
  const [row] = [...store.rows.values()] as [VectorEnvelope];
  const to = { ...collectionEncoders(papers, Object.values(encoders)), generation: 2 };
  const neighbour: Neighbour = { id: "b", weight: 1, features: Float32Array.of(1), neighbours: [] };
  /** What the encoder of the graph is given, and the segment that is carried. */
  const carried = async (change: Partial<Generation["segments"][number]>, at: number) => {
    const segments = to.layout.map((layout, index) => ({
      ...{ ...layout, fields: papers.spaces[index]?.fields ?? [] },
      ...(index === at ? change : {}),
    }));
    const from: Generation = { collection: "papers", generation: 1, state: "live", segments };
    const written: VectorEnvelope[] = [];
    const asked: unknown[] = [];
    const ports = {
      takeChanges: async () => ({
        ...{ collection: "papers", generation: 2, ids: ["a"], tries: 1, positions: [] },
      }),
      readRows: async () => new Map([["a", { ...row, deleted: false }]]),
      readSegments: async () => new Map(),
      readGenerations: async () => [],
      carryRows: async (_: string, envelopes: readonly VectorEnvelope[]) => void written.push(...envelopes),
      finishChanges: async () => {},
      addDeadLetters: async () => {},
      readNeighbourhoods: async (of: unknown) => {
        asked.push(of);
        return new Map([["a", { neighbours: [neighbour], state: Uint8Array.of(1) }]]);
      },
    };
    await carryRows({ from, to, store: ports, counters: pipelineCounters() }, new AbortController().signal);
    const given = encoders.graph.batches.splice(0).flat() as unknown[];
    return { given, asked, vector: [...(written[0] as VectorEnvelope).vector] };
  };
  expect(await carried({}, 0)).toEqual({ given: [], asked: [], vector: [...row.vector] });
  // The title's encoder was another, and so is what the graph's reads.
  const renewed = await carried({ encoderIdentity: "title-0" }, 2);
  expect(renewed.asked).toEqual([{ collection: "papers", generation: 2 }]);
  expect(renewed.given).toMatchObject([{ id: "a", neighbours: [neighbour] }]);
  const [node] = renewed.given as [NodeInput];
  expect([...(node.features ?? [])]).toEqual([...segmentOf("two"), ...segmentOf("one")]);
  expect((await carried({ dimensions: 3 }, 0)).given).toHaveLength(1);
});
