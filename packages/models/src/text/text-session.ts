import { MedleyError } from "@medley/core";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { readPinned } from "../artefact/files.ts";
import { loadModelBytes } from "../artefact/onnx-file.ts";
import type { TextModel } from "../artefact/text-model.ts";
import type { Rows } from "../runtime/rows.ts";
import type { Prepared, Role, RunAnswer, Session } from "../runtime/session.ts";
import { pool } from "./pooling.ts";
import { TextTokenizer, type TokenizerDefinition, tokenise } from "./tokenise.ts";

const knownInputs = ["input_ids", "attention_mask", "token_type_ids"];
const knownOutputs = ["last_hidden_state", "token_embeddings"];

/** A text model loaded into this thread; a row is a text's token ids. */
export class TextSession implements Session<string> {
  readonly #model: TextModel;
  readonly #tokenizer: TextTokenizer;
  readonly #session: InferenceSession;
  readonly #output: string;
  #hidden = new Float32Array(0);

  private constructor(model: TextModel, tokenizer: TextTokenizer, session: InferenceSession) {
    this.#model = model;
    this.#tokenizer = tokenizer;
    this.#session = session;
    const unknown = session.inputNames.find((name) => !knownInputs.includes(name));
    const output = knownOutputs.find((name) => session.outputNames.includes(name));
    if (unknown !== undefined || output === undefined) {
      throw new MedleyError(
        "model_unsupported",
        `${model.model.path}: inputs ${session.inputNames.join(", ")}, outputs ${session.outputNames.join(", ")}`,
        {
          mend: `use an export with inputs of ${knownInputs.join(", ")} and output ${knownOutputs.join(" or ")}`,
        },
      );
    }
    this.#output = output;
  }

  /** Throws `model_damaged` where a file changed since it was pinned, `model_unsupported` where it can't be run. */
  static async open(model: TextModel, options: InferenceSession.SessionOptions): Promise<TextSession> {
    const definition = JSON.parse(
      new TextDecoder().decode(readPinned(model.tokenizer)),
    ) as TokenizerDefinition;
    const tokenizer = new TextTokenizer(model, definition);
    const { bytes, externalData } = loadModelBytes(model.model);
    try {
      const inference = await InferenceSession.create(bytes, { ...options, externalData });
      const session = new TextSession(model, tokenizer, inference);
      await session.#probe();
      return session;
    } catch (cause) {
      if (cause instanceof MedleyError) throw cause;
      throw new MedleyError("model_unsupported", `${model.model.path}: ${(cause as Error).message}`, {
        mend: "use an ONNX export that ONNX Runtime can load",
        cause,
      });
    }
  }

  async prepare(texts: readonly string[], role: Role): Promise<Prepared> {
    const { passagePrompt, queryPrompt } = this.#model;
    return tokenise(this.#tokenizer, texts, role === "query" ? queryPrompt : passagePrompt);
  }

  async run(tokens: Rows): Promise<RunAnswer> {
    const { dimensions, pooling, padId } = this.#model;
    const { lengths } = tokens;
    const { feeds, tokensPadded } = feedsOf(tokens, padId, this.#session.inputNames);
    const values = this.#room(lengths.length * tokensPadded * dimensions);
    const dims = [lengths.length, tokensPadded, dimensions];
    await this.#session.run(feeds, { [this.#output]: new Tensor("float32", values, dims) });
    const pooled = pool({ values, lengths, tokensPadded, dimensions }, pooling);
    return { ...pooled, paddedValues: lengths.length * tokensPadded, usefulValues: tokens.values.length };
  }

  /** Outputs are written to the same memory each time: left to the garbage collector they pile up. */
  #room(floats: number): Float32Array {
    if (this.#hidden.length < floats) this.#hidden = new Float32Array(floats);
    return this.#hidden.subarray(0, floats);
  }

  /** Runs one text, so that a model whose output is not as its config says is refused before it is used. */
  async #probe(): Promise<void> {
    const values = Int32Array.from(this.#tokenizer.encode("a", ""));
    const { feeds } = feedsOf(
      { values, lengths: Int32Array.of(values.length) },
      this.#model.padId,
      this.#session.inputNames,
    );
    const output = (await this.#session.run(feeds, [this.#output]))[this.#output] as Tensor;
    const expected = `float32[1,${values.length},${this.#model.dimensions}]`;
    const got = `${output.type}[${output.dims}]`;
    if (got === expected) return;
    throw new MedleyError(
      "model_unsupported",
      `${this.#model.model.path}: the output is ${got}, not ${expected}`,
      {
        mend: "use the config.json that belongs to the model, and an export with float32 output",
      },
    );
  }
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
