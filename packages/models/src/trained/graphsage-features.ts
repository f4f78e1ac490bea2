import { fail, MedleyError, type Neighbour, type NodeInput, succeed } from "@medley/core";
import type { ArtefactFiles, Features, FeaturesManifest } from "./features.ts";
import { type Aggregator, hear, readSageMessages, type SageSizes, type Said } from "./graphsage-messages.ts";
import { readVocabulary } from "./read-vocabulary.ts";

/** The ids of the nodes that were trained on: a JSON list; the other files' rows are in its order. */
export const sageNodesFile = "nodes.json";
/** What each node says to its neighbours: float32 [nodes, first + second], row-major. */
export const sageMessagesFile = "messages.f32";
/** What a message is made with, see graphsage-messages.ts. Artefacts from before newer neighbours spoke lack it. */
export const sageLayersFile = "layers.f32";
/** Whose edges lead to each node: uint32 offsets [nodes + 1], uint32 sources [edges], float32 weights [edges]. */
export const sageIncomingFile = "incoming.bin";

/** Of `manifest.json`: how long a node's features and the two parts of its message are. */
type SageManifest = SageSizes & { readonly aggregator: Aggregator };

/**
 * A node by its own features, as they are, and what its neighbours say. Where the value brings its neighbours, each says what follows
 * from its record as it is now, also one that was not trained on; a neighbour without a record says what it said when the model was
 * trained, or nothing. Where the value brings none (in training, and for an artefact from before they spoke), they are those that its
 * edges lead to and those whose edges led to it then, with what they said then.
 *
 * A row is [features, first, second]: the graph's inputs `features`, `first` and `second`.
 */
export function graphsageFeatures(manifest: FeaturesManifest, files: ArtefactFiles): Features<NodeInput> {
  const rows = new Map(readVocabulary(files, sageNodesFile).map((id, row) => [id, row]));
  const sizes = sageManifest(manifest);
  const { aggregator, features: featureCount, messages: parts } = sizes;
  const width = parts[0] + parts[1];
  const messages = floats(files, sageMessagesFile, rows.size * width);
  const incoming = readIncoming(files, rows.size);
  const layers = files.get(sageLayersFile);
  const speech = layers === undefined ? null : readSageMessages(layers, sizes, aggregator);
  const frozen = (id: string) => {
    const known = rows.get(id);
    return known === undefined ? null : messages.subarray(known * width, (known + 1) * width);
  };
  const heardThen = ({ id, edges }: NodeInput): Said[] => {
    const neighbours = new Map<number, number>();
    const meet = (other: number, weight: number) =>
      neighbours.set(other, (neighbours.get(other) ?? 0) + weight);
    for (const [target, weight] of Object.entries(edges)) {
      const other = rows.get(target);
      if (other !== undefined) meet(other, weight);
    }
    const own = rows.get(id);
    if (own !== undefined) incoming(own, meet);
    return [...neighbours].map(([at, weight]) => [messages.subarray(at * width, (at + 1) * width), weight]);
  };
  const heardNow = (neighbours: readonly Neighbour[]): Said[] =>
    neighbours.flatMap((neighbour): Said[] => {
      const said = speech?.says(neighbour, frozen) ?? null;
      return said === null ? [] : [[said, neighbour.weight]];
    });
  const row = (node: NodeInput): Float32Array => {
    const { features, neighbours } = node;
    const said = neighbours === undefined || speech === null ? heardThen(node) : heardNow(neighbours);
    const says = features?.some((value) => value !== 0) ?? false;
    if (!says && said.length === 0) return new Float32Array(0);
    const inputs = new Float32Array(featureCount + width);
    if (features !== undefined) inputs.set(features);
    inputs.set(hear(said, width, aggregator), featureCount);
    return inputs;
  };
  return {
    row: (value) => {
      const length = value.features?.length ?? featureCount;
      if (length === featureCount) return succeed(row(value));
      return fail({
        message: `the value has ${length} features where the model was trained with ${featureCount}`,
        mend: "train the space again, as the spaces it is made from have changed",
      });
    },
    queryRow: () =>
      fail({
        message:
          "the query can't be answered by this space, whose segments are made of a record's other segments",
        mend: "search by a record that is there, or in the spaces this one is made from",
      }),
  };
}

function sageManifest({ aggregator, features, messages }: FeaturesManifest): SageManifest {
  const parts = Array.isArray(messages) ? messages : [];
  const [first, second] = parts;
  const sizes = [features, first, second];
  const isSize = (size: unknown) => Number.isSafeInteger(size) && (size as number) > 0;
  if ((aggregator !== "mean" && aggregator !== "pool") || parts.length !== 2 || !sizes.every(isSize)) {
    throw damaged("manifest.json");
  }
  return { aggregator, features: features as number, messages: [first, second] };
}

/** Tells of each edge that led to a node: its source's row, and its weight. */
function readIncoming(
  files: ArtefactFiles,
  nodes: number,
): (node: number, meet: (source: number, weight: number) => void) => void {
  const bytes = bytesOf(files, sageIncomingFile);
  const words = Math.floor(bytes.byteLength / 4);
  const copy = new Uint8Array(bytes).buffer;
  const numbers = new Uint32Array(copy, 0, words);
  const edges = numbers[nodes] ?? 0;
  const sources = numbers.subarray(nodes + 1, nodes + 1 + edges);
  if (words !== nodes + 1 + 2 * edges || sources.some((source) => source >= nodes)) {
    throw damaged(sageIncomingFile);
  }
  const weights = new Float32Array(copy, 4 * (nodes + 1 + edges), edges);
  return (node, meet) => {
    for (let at = numbers[node] as number; at < (numbers[node + 1] as number); at += 1) {
      meet(sources[at] as number, weights[at] as number);
    }
  };
}

function floats(files: ArtefactFiles, path: string, count: number): Float32Array {
  const bytes = bytesOf(files, path);
  if (bytes.byteLength !== 4 * count) throw damaged(path);
  return new Float32Array(new Uint8Array(bytes).buffer);
}

function bytesOf(files: ArtefactFiles, path: string): Uint8Array {
  const bytes = files.get(path);
  if (bytes === undefined) throw damaged(path);
  return bytes;
}

function damaged(path: string): MedleyError {
  return new MedleyError(
    "model_damaged",
    `the trained model's ${path} is missing or not as its trainer wrote it`,
    {
      mend: "take the artefact's folder from a backup, or train the space again",
    },
  );
}
