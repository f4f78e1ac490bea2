import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import { type InferenceSession, Tensor } from "onnxruntime-node";
import { readPinned } from "../artefact/files.ts";
import { loadModelBytes } from "../artefact/onnx-file.ts";
import type { TextModel } from "../artefact/text-model.ts";
import { decodeOnnx } from "../onnx/index.ts";
import { NativeSession } from "../onnx/native-session.ts";
import { pooledGraph, pooledMask, pooledOutput } from "../onnx/pooled-graph.ts";
import { loading } from "../runtime/loading.ts";
import { pool, unitVectors } from "../runtime/pooling.ts";
import { type Rows, splitRows } from "../runtime/rows.ts";
import type { Prepared, Role, RunAnswer, Session } from "../runtime/session.ts";
import { Head } from "./head.ts";
import { TextTokenizer, type TokenizerDefinition, tokenise } from "./tokenise.ts";

const knownInputs = ["input_ids", "attention_mask", "token_type_ids", pooledMask];
const knownOutputs = ["last_hidden_state", "token_embeddings"];

export interface TextSessionOptions {
  /**
   * Pools in the model's graph, so that a device copies back one vector per text and not the hidden states. Equal to
   * pooling outside to 1e-5.
   */
  readonly poolsInGraph: boolean;
}

/**
 * A text model loaded into this thread; a row is a text's token ids. Where prompts are left out of the pooling, the
 * number of tokens to leave out comes before them.
 */
export class TextSession implements Session<string> {
  readonly #model: TextModel;
  readonly #tokenizer: TextTokenizer;
  readonly #head: Head;
  readonly #session: NativeSession;
  readonly #output: string;
  #hidden = new Float32Array(0);

  private constructor(model: TextModel, tokenizer: TextTokenizer, head: Head, session: NativeSession) {
    this.#model = model;
    this.#tokenizer = tokenizer;
    this.#head = head;
    this.#session = session;
    this.#output = checkedOutput(model, session);
  }

  /** Throws `model_damaged` where a file changed since it was pinned, `model_unsupported` where it can't be run. */
  static async open(
    model: TextModel,
    options: InferenceSession.SessionOptions,
    { poolsInGraph }: TextSessionOptions = { poolsInGraph: false },
  ): Promise<TextSession> {
    const definition = JSON.parse(
      new TextDecoder().decode(readPinned(model.tokenizer)),
    ) as TokenizerDefinition;
    const tokenizer = new TextTokenizer(model, definition);
    const head = new Head(model.head, model.pooling.modes.length * model.hiddenSize);
    const { bytes, externalData } = loadModelBytes(model.model);
    return loading(model.model.path, async () => {
      const graph = graphOf(model, bytes, poolsInGraph);
      const created = await NativeSession.create(graph, { ...options, externalData });
      const session = new TextSession(model, tokenizer, head, created);
      await session.#probe();
      return session;
    });
  }

  async prepare(texts: readonly string[], role: Role): Promise<Prepared> {
    const { passagePrompt, queryPrompt, pooling } = this.#model;
    const prompt = role === "query" ? queryPrompt : passagePrompt;
    return tokenise(this.#tokenizer, texts, prompt, { countsPrompt: !pooling.includesPrompt });
  }

  async run(rows: Rows): Promise<RunAnswer> {
    const { dimensions, pooling, hiddenSize, padId, rowsPerBatchMax = rows.lengths.length } = this.#model;
    assert(rows.lengths.length <= rowsPerBatchMax, "a batch is larger than the model's vectors allow");
    const { tokens, skipped } = this.#split(rows);
    const { feeds, tokensPadded } = feedsOf(tokens, padId, this.#session.inputNames);
    const { lengths } = tokens;
    const work = { paddedValues: lengths.length * tokensPadded, usefulValues: tokens.values.length };
    if (this.#output === pooledOutput) {
      if (skipped !== undefined) feeds[pooledMask] = maskWithout(feeds.attention_mask as Tensor, skipped);
      const output = (await this.#session.run(feeds, [pooledOutput]))[pooledOutput] as Tensor;
      const pooled = output.data as Float32Array;
      const width = pooled.length / lengths.length;
      // Nothing was pooled where the prompt fills the whole text.
      skipped?.forEach((count, row) => {
        if (count >= (lengths[row] as number)) pooled.fill(0, row * width, (row + 1) * width);
      });
      const headless = this.#model.head.length === 0;
      const vectors = headless ? pooled : this.#head.apply(Float64Array.from(pooled));
      return { ...unitVectors(vectors, dimensions), ...work };
    }
    const values = this.#room(lengths.length * tokensPadded * hiddenSize);
    const dims = [lengths.length, tokensPadded, hiddenSize];
    await this.#session.run(feeds, { [this.#output]: new Tensor("float32", values, dims) });
    const hidden = { values, lengths, tokensPadded, hiddenSize, ...(skipped && { skipped }) };
    return { ...unitVectors(this.#head.apply(pool(hidden, pooling.modes)), dimensions), ...work };
  }

  /** Takes the counts of the prompts' tokens off the rows that begin with one. */
  #split(rows: Rows): { tokens: Rows; skipped?: Int32Array } {
    if (this.#model.pooling.includesPrompt) return { tokens: rows };
    const split = splitRows(rows);
    return {
      tokens: {
        values: Int32Array.from(split.flatMap((row) => [...row.subarray(1)])),
        lengths: rows.lengths.map((length) => length - 1),
      },
      skipped: Int32Array.from(split, (row) => row[0] as number),
    };
  }

  /** Outputs are written to the same memory each time: left to the garbage collector they pile up. */
  #room(floats: number): Float32Array {
    if (this.#hidden.length < floats) this.#hidden = new Float32Array(floats);
    return this.#hidden.subarray(0, floats);
  }

  /** Runs one text, so that a model whose output is not as its config says is refused before it is used. */
  async #probe(): Promise<void> {
    const { hiddenSize, padId, pooling, model } = this.#model;
    const values = Int32Array.from(this.#tokenizer.encode("a", ""));
    const lengths = Int32Array.of(values.length);
    const { feeds } = feedsOf({ values, lengths }, padId, this.#session.inputNames);
    const pools = this.#output === pooledOutput;
    if (pools && !pooling.includesPrompt) feeds[pooledMask] = feeds.attention_mask as Tensor;
    const output = (await this.#session.run(feeds, [this.#output]))[this.#output] as Tensor;
    const expected = pools
      ? `float32[1,${pooling.modes.length * hiddenSize}]`
      : `float32[1,${values.length},${hiddenSize}]`;
    const got = `${output.type}[${output.dims}]`;
    if (got === expected) return;
    throw new MedleyError("model_unsupported", `${model.path}: the output is ${got}, not ${expected}`, {
      mend: "use the config.json that belongs to the model, and an export with float32 output",
    });
  }
}

/** The bytes to load: the file's own, or with the pooling put behind them. */
function graphOf(model: TextModel, bytes: Uint8Array, poolsInGraph: boolean): Uint8Array {
  if (model.rowsPerBatchMax !== 1 && model.model.graph.dynamicQuantised) {
    throw new MedleyError(
      "model_unsupported",
      `${model.model.path}: it turns what it computes into integers by the range of the whole batch, so a text's ` +
        "vector would depend on the texts beside it",
      {
        mend:
          "use the float32 model, or one whose weights alone are stored as int8; or choose this one on purpose by the " +
          'name\'s ending "#quantized": it then runs one text at a time',
      },
    );
  }
  if (!poolsInGraph) return bytes;
  const { output } = decodeOnnx(bytes).graph;
  const hiddenOutput = knownOutputs.find((known) => output.some(({ name }) => name === known));
  if (hiddenOutput === undefined) return bytes;
  return pooledGraph(bytes, {
    hiddenOutput,
    hiddenSize: model.hiddenSize,
    modes: model.pooling.modes,
    normalises: model.head.length === 0,
    masksPooling: !model.pooling.includesPrompt,
  });
}

function checkedOutput({ model }: TextModel, session: NativeSession): string {
  const unknown = session.inputNames.find((name) => !knownInputs.includes(name));
  const output = [pooledOutput, ...knownOutputs].find((name) => session.outputNames.includes(name));
  if (unknown === undefined && output !== undefined) return output;
  throw new MedleyError(
    "model_unsupported",
    `${model.path}: inputs ${session.inputNames.join(", ")}, outputs ${session.outputNames.join(", ")}`,
    {
      mend:
        `use an export with inputs of ${knownInputs.slice(0, -1).join(", ")} and output ` +
        knownOutputs.join(" or "),
    },
  );
}

/** The attention mask without the first `skipped` tokens of each text. */
function maskWithout(mask: Tensor, skipped: Int32Array): Tensor {
  const values = BigInt64Array.from(mask.data as BigInt64Array);
  const tokensPadded = mask.dims[1] as number;
  skipped.forEach((count, row) => {
    const start = row * tokensPadded;
    values.fill(0n, start, start + Math.min(count, tokensPadded));
  });
  return new Tensor("int64", values, mask.dims);
}

/** A batch as the model wants it: rows padded to the longest, int64. */
export function feedsOf(
  { values: ids, lengths }: Rows,
  padId: number,
  inputNames: readonly string[],
): { feeds: Record<string, Tensor>; tokensPadded: number } {
  const tokensPadded = lengths.reduce((longest, length) => Math.max(longest, length), 0);
  const dims = [lengths.length, tokensPadded];
  const padded = new BigInt64Array(lengths.length * tokensPadded).fill(BigInt(padId));
  const mask = new BigInt64Array(padded.length);
  let from = 0;
  lengths.forEach((length, row) => {
    const to = row * tokensPadded;
    for (let token = 0; token < length; token++) padded[to + token] = BigInt(ids[from + token] as number);
    mask.fill(1n, to, to + length);
    from += length;
  });
  const feeds: Record<string, Tensor> = {
    input_ids: new Tensor("int64", padded, dims),
    attention_mask: new Tensor("int64", mask, dims),
  };
  if (inputNames.includes("token_type_ids")) {
    feeds.token_type_ids = new Tensor("int64", new BigInt64Array(padded.length), dims);
  }
  return { feeds, tokensPadded };
}
