import { type MedleyClient, MedleyError, type SearchQuery } from "@medley/client";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { shortHits, shortValue } from "./short-answer.ts";

export interface McpOptions {
  readonly client: MedleyClient;
  readonly version: string;
  /** Ends it. */
  readonly signal: AbortSignal;
}

const hitsMax = 50;

const ids = z.union([z.string(), z.array(z.string())]);

const query = {
  collection: z.string().describe("one that the tool collections lists"),
  words: z.string().max(10_000).optional().describe("said to every space that reads texts"),
  parts: z
    .record(z.string(), z.unknown())
    .optional()
    .describe(
      'by space, what to look for: {"year": 1995, "genres": ["Comedy"], "released": {"halfLifeDays": 90}}',
    ),
  texts: z
    .record(z.string(), z.string())
    .optional()
    .describe(
      'by text, words that a record has, as one types them into a search engine: {"words": "\\"bank heist\\" -comedy"}',
    ),
  weights: z
    .record(z.string(), z.number())
    .optional()
    .describe("by space or text; 0 leaves one out, below 0 turns it round; default: the collection's own"),
  class: z
    .string()
    .optional()
    .describe("of searches, by name: weights that were learned for it, where weights names none"),
  like: ids
    .optional()
    .describe("ids of records whose values stand in for the parts not given: more like these"),
  unlike: ids
    .optional()
    .describe("ids of records that hits should differ from in these parts: less like those"),
};
const filter = z
  .record(z.string(), z.unknown())
  .optional()
  .describe(
    'conditions on fields: {"year": {"gte": 1990}, "genres": {"any": ["Comedy"]}}; eq, ne, lt, lte, gt, gte, in, null, any, all, none',
  );

/** What `query` says; `undefined` where it does not. */
type Asked = z.infer<z.ZodObject<typeof query>>;

/**
 * Serves a Medley to an assistant over stdin and stdout by the Model Context Protocol: the tools `collections`, `search` and
 * `explain`, none of which writes. Answers are cut to what an assistant can read. Resolves once the other side closes, or `signal` aborts.
 */
export async function serveMcp({ client, version, signal }: McpOptions): Promise<void> {
  const server = new McpServer({ name: "medley", version });
  addCollections(server, client);
  addSearch(server, client);
  addExplain(server, client);
  const closed = Promise.withResolvers<void>();
  server.server.onclose = () => closed.resolve();
  process.stdin.once("end", () => server.close());
  signal.addEventListener("abort", () => server.close(), { once: true });
  await server.connect(new StdioServerTransport());
  if (signal.aborted) await server.close();
  await closed.promise;
}

const annotations = { readOnlyHint: true, openWorldHint: false } as const;

function addCollections(server: McpServer, client: MedleyClient): void {
  const description =
    "The collections there are, with their fields (what a filter names), spaces (what parts and weights name) and texts (what texts and weights name)";
  server.registerTool("collections", { description, annotations, inputSchema: {} }, (_given, { signal }) =>
    answer(async () => ({ collections: await client.collections(signal) })),
  );
}

function addSearch(server: McpServer, client: MedleyClient): void {
  const description =
    "Search a collection by weighted parts. A hit's score is the sum over spaces of weight x cosine, and over texts of weight x how well the words match: contributions say what each added";
  const inputSchema = {
    ...query,
    filter,
    k: z.number().int().min(1).max(hitsMax).optional().describe("hits; default 10"),
    scoreMin: z.number().optional().describe("no hit has a lower score"),
    diversity: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe("the higher, the more hits differ from each other"),
    perGroup: z
      .object({ field: z.string(), max: z.number().int().min(1) })
      .optional()
      .describe("at most max hits of each value of a category field"),
    after: z
      .string()
      .optional()
      .describe("the cursor of the answer before to the same search: its next hits"),
  };
  server.registerTool("search", { description, annotations, inputSchema }, (asked, { signal }) =>
    answer(async () => {
      const { filter: conditions, k = 10, scoreMin, diversity, perGroup, after } = asked;
      const extras = given({ filter: conditions, scoreMin, diversity, perGroup, after });
      const said = await searchOf(client, asked, signal);
      const { hits, cursor } = await client.search(asked.collection, { ...said, ...extras, k }, signal);
      const short = shortHits(hits);
      // Behind the last hit, so it would pass over those left out.
      return { ...short, cursor: short.leftOut === 0 ? cursor : null };
    }),
  );
}

function addExplain(server: McpServer, client: MedleyClient): void {
  const description =
    "Why one record scores as it does in a search, whatever its rank: what each space adds, and the record's fields";
  const inputSchema = { ...query, id: z.string().describe("of the record") };
  server.registerTool("explain", { description, annotations, inputSchema }, ({ id, ...asked }, { signal }) =>
    answer(async () => {
      const said = await searchOf(client, asked, signal);
      const { hits } = await client.search(asked.collection, { ...said, filter: { id }, k: 1 }, signal);
      const [hit] = hits;
      if (hit === undefined) {
        const or = asked.texts === undefined ? "" : ", or it does not match";
        throw new MedleyError("not_found", `${asked.collection} has no record "${id}"${or}`);
      }
      return { ...hit, fields: shortValue(hit.fields) };
    }),
  );
}

async function searchOf(client: MedleyClient, asked: Asked, signal: AbortSignal): Promise<SearchQuery> {
  const { collection, words, parts = {}, texts, weights, class: kind, like, unlike } = asked;
  const worded = words === undefined ? [] : await textSpaces(client, collection, signal);
  return {
    parts: { ...Object.fromEntries(worded.map((space) => [space, words])), ...parts },
    ...given({ texts, weights, class: kind, like, unlike }),
  };
}

type Given<Options> = { readonly [Key in keyof Options]?: Exclude<Options[Key], undefined> };

/** Without what is not said. */
function given<Options extends object>(options: Options): Given<Options> {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Given<Options>;
}

async function textSpaces(
  client: MedleyClient,
  name: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const collections = await client.collections(signal);
  const found = collections.find((collection) => collection.name === name);
  if (found === undefined) {
    throw new MedleyError("collection_unknown", `there is no collection "${name}"`, {
      mend: `known: ${collections.map((collection) => collection.name).join(", ")}`,
    });
  }
  const spaces = found.spaces.filter(({ readsText }) => readsText).map((space) => space.name);
  if (spaces.length > 0) return spaces;
  throw new MedleyError("query_invalid", `no space of "${name}" reads words`, { mend: "say it by parts" });
}

async function answer(ask: () => Promise<unknown>): Promise<CallToolResult> {
  try {
    return { content: [{ type: "text", text: JSON.stringify(await ask()) }] };
  } catch (error) {
    if (!(error instanceof MedleyError)) throw error;
    const mend = error.mend === undefined ? "" : ` (${error.mend})`;
    return { isError: true, content: [{ type: "text", text: `${error.message}${mend} [${error.code}]` }] };
  }
}
