import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { MedleyError } from "@medley/core";
import {
  type Environment,
  loadModelBytes,
  type ModelLock,
  type PoolingMode,
  readTextModel,
  type TextModel,
} from "@medley/models";
import { decodeOnnx, inlineExternalData } from "@medley/models/onnx";
import { TextTokenizer, type TokenizerDefinition } from "@medley/models/tokenise";
import { type BlockCut, findBlockCut, partAfterCut } from "./blocks.ts";

export interface TextBackboneOptions {
  /** As in a configuration: a bundled name, a path or a hub id. */
  readonly model: string;
  readonly environment: Environment;
  readonly lock?: ModelLock | undefined;
  /** Longest text in tokens; longer ones are cut, in training and when it serves. Default: the model's own limit. */
  readonly tokensMax?: number | undefined;
}

/** A text as the model takes it. */
export interface TokenRow {
  readonly ids: Int32Array;
  /** Tokens at its start that are not pooled: a prompt's, where the model says so. */
  readonly skipped: number;
}

const knownOutputs = ["last_hidden_state", "token_embeddings"];

/** A pre-trained text model as fine-tuning takes it apart: its tokens, its graph, its pooling. */
export class TextBackbone {
  readonly model: TextModel;
  /** The ONNX file with all its weights in it. */
  readonly bytes: Uint8Array;
  /** Hidden states [batch, tokens, hidden size]. */
  readonly output: string;
  readonly #tokenizer: TextTokenizer;

  private constructor(model: TextModel, bytes: Uint8Array, output: string, tokenizer: TextTokenizer) {
    this.model = model;
    this.bytes = bytes;
    this.output = output;
    this.#tokenizer = tokenizer;
  }

  /** Throws as `readTextModel` does, and `training_unsupported` for a model that has no hidden states or pools by maximum. */
  static async open(options: TextBackboneOptions): Promise<TextBackbone> {
    const read = await readTextModel(options.model, options.environment, { lock: options.lock });
    const { tokensMax = read.tokensMax } = options;
    assert(tokensMax > 2 && tokensMax <= read.tokensMax, `3 to ${read.tokensMax} tokens`);
    const model = { ...read, tokensMax };
    const { bytes, externalData } = loadModelBytes(model.model);
    const whole = inlineExternalData(bytes, new Map(externalData.map(({ path, data }) => [path, data])));
    const outputs = decodeOnnx(whole).graph.output.map(({ name }) => name);
    const output = knownOutputs.find((name) => outputs.includes(name));
    if (output === undefined) {
      throw new MedleyError(
        "training_unsupported",
        `${model.model.path} has no output ${knownOutputs.join(" or ")}`,
        {
          mend: "use an export of the model for feature extraction",
        },
      );
    }
    const definition = JSON.parse(await readFile(model.tokenizer.path, "utf8")) as TokenizerDefinition;
    return new TextBackbone(model, whole, output, new TextTokenizer(model, definition));
  }

  /** Throws `training_data_invalid` naming the first text without a token, by `nameOf` its place. */
  rowsOf(texts: readonly string[], nameOf: (at: number) => string): TokenRow[] {
    const { passagePrompt, pooling } = this.model;
    const skipped = pooling.includesPrompt ? 0 : this.#tokenizer.promptTokens(passagePrompt);
    return texts.map((text, at) => {
      const ids = Int32Array.from(this.#tokenizer.encode(text, passagePrompt));
      if (ids.length > skipped) return { ids, skipped };
      throw new MedleyError("training_data_invalid", `${nameOf(at)} is a text without a word`, {
        mend: "leave rows without a text out",
      });
    });
  }

  /** Where the last `blocks` begin, and the part of the graph from there. Throws `training_unsupported`. */
  cut(blocks: number): { cut: BlockCut; part: Uint8Array } {
    const { model, hiddenSize, pooling, head } = this.model;
    if (pooling.modes.includes("max") || head.length > 0) {
      const what = head.length > 0 ? "has layers after its pooling" : "pools by the maximum";
      throw new MedleyError("training_unsupported", `${model.path} ${what}: its blocks can't be trained`, {
        mend: "train a head on the frozen model (blocks: 0)",
      });
    }
    const cut = findBlockCut(this.bytes, { output: this.output, blocks, path: model.path });
    const known = ["attention_mask", "token_type_ids"];
    const foreign = cut.inputs.find((name) => !known.includes(name));
    if (foreign !== undefined) {
      throw new MedleyError(
        "training_unsupported",
        `the last blocks of ${model.path} read its input "${foreign}"`,
        {
          mend: "train a head on the frozen model (blocks: 0)",
        },
      );
    }
    return { cut, part: partAfterCut(this.bytes, cut, hiddenSize) };
  }

  /**
   * How a row's hidden states become its vector: [modes, length], so that the vector is this times the hidden states, the modes
   * end to end. Written into `out`, which holds zeros.
   */
  writePooling({ ids, skipped }: TokenRow, length: number, out: Float32Array): void {
    for (const [at, mode] of this.model.pooling.modes.entries()) {
      const weights = out.subarray(at * length, (at + 1) * length);
      writeMode(mode, weights, skipped, ids.length);
    }
  }

  /** Of the vector. */
  get dimensions(): number {
    return this.model.pooling.modes.length * this.model.hiddenSize;
  }
}

function writeMode(mode: PoolingMode, weights: Float32Array, from: number, to: number): void {
  switch (mode) {
    case "cls":
      weights[from] = 1;
      return;
    case "lasttoken":
      weights[to - 1] = 1;
      return;
    case "mean":
      weights.fill(1 / (to - from), from, to);
      return;
    case "mean_sqrt_len_tokens":
      weights.fill(1 / Math.sqrt(to - from), from, to);
      return;
    case "max":
      assert.fail("refused when the backbone was cut");
  }
}
