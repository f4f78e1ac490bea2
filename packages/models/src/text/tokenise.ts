import { Tokenizer } from "@huggingface/tokenizers";
import { MedleyError } from "@medley/core";
import type { TextModel } from "../artefact/text-model.ts";
import type { Prepared } from "../runtime/session.ts";
import { type BertNormalizer, mendForBert } from "./bert-unicode.ts";

/** Characters per token that a first guess allows for; English has about 4.5, with its spaces. */
const charactersPerToken = 8;

/**
 * A model's tokenizer with the truncation that the library leaves to us: the special tokens stay, what is between
 * is cut at `tokensMax`. A long text is only read as far as it can matter.
 *
 * In JavaScript, which is fast enough: .4% of the time that MiniLM takes on a CPU (docs/ENCODERS.md). A native tokenizer
 * would pay beside a device that runs more than some 6,000 texts of 128 tokens per second and thread.
 */
export class TextTokenizer {
  readonly #tokenizer: Tokenizer;
  readonly #model: TextModel;
  /** Special tokens before and after a text, such as [CLS] and [SEP]. */
  readonly #before: readonly number[];
  readonly #after: readonly number[];
  readonly #splitsAtWhitespace: boolean;
  readonly #mend: (text: string) => string;

  /** `definition` is the object in `tokenizer.json`. */
  constructor(model: TextModel, definition: TokenizerDefinition) {
    const used = model.lowerCase ? lowerCased(definition) : definition;
    this.#tokenizer = new Tokenizer(used, {});
    this.#model = model;
    this.#splitsAtWhitespace = splitsAtWhitespace(definition);
    this.#mend = mendFor(used);
    const probe = this.#tokenizer.encode("a").ids;
    const start = probe.indexOf(this.#tokenizer.encode("a", { add_special_tokens: false }).ids[0] ?? -1);
    this.#before = probe.slice(0, start);
    this.#after = probe.slice(start + 1);
    if (start < 0 || this.#before.length + this.#after.length >= model.tokensMax) {
      throw new MedleyError(
        "model_unsupported",
        `${model.tokenizer.path}: its special tokens can't be told`,
        {
          mend: "use a model of the BERT family",
        },
      );
    }
  }

  /** Ids with special tokens, at most `tokensMax`; empty for a text without any token of its own. */
  encode(text: string, prompt: string): number[] {
    const { tokensMax, vocabularySize } = this.#model;
    const room = tokensMax - this.#before.length - this.#after.length;
    const own = text.trim();
    if (own === "" || this.#ownIds(own, 1).length === 0) return [];
    const inner = this.#ownIds(prompt + own, room).slice(0, room);
    const ids = [...this.#before, ...inner, ...this.#after];
    const stray = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabularySize));
    if (stray === undefined) return ids;
    throw new MedleyError("encoder_failed", `the tokenizer of ${this.#model.name} gave the id ${stray}`, {
      mend: `its vocabulary has ${vocabularySize} ids: use the tokenizer.json that belongs to the model`,
    });
  }

  /**
   * How many of the first ids are a prompt's, with the special tokens before it: what sentence-transformers leaves out
   * of the pooling where `include_prompt` is false. 0 without a prompt.
   */
  promptTokens(prompt: string): number {
    if (prompt === "") return 0;
    const own = this.#ownIds(prompt, this.#model.tokensMax).length;
    return this.#before.length + own + Math.max(0, this.#after.length - 1);
  }

  /**
   * The first ids of a text, at least `wanted` where it has as many. The tokenizer never looks across whitespace,
   * so the text is read in whitespace-bounded prefixes of doubling length: their ids are the text's first ids.
   */
  #ownIds(text: string, wanted: number): number[] {
    for (let characters = wanted * charactersPerToken; ; characters *= 2) {
      const end = this.#splitsAtWhitespace ? whitespaceFrom(text, characters) : -1;
      const prefix = end < 0 ? text : text.slice(0, end);
      const { ids } = this.#tokenizer.encode(this.#mend(prefix), { add_special_tokens: false });
      if (end < 0 || ids.length >= wanted) return ids;
    }
  }
}

export interface TokenizerDefinition {
  readonly normalizer?: Normalizer | null;
  readonly pre_tokenizer?: { readonly type?: string } | null;
  readonly added_tokens?: readonly { readonly content: string }[];
}

interface Normalizer extends BertNormalizer {
  readonly type?: string;
  readonly normalizers?: readonly Normalizer[];
}

/** What sentence-transformers makes of `do_lower_case`: special tokens keep their case, so the text can't be changed. */
function lowerCased(definition: TokenizerDefinition): TokenizerDefinition {
  const normalizers = definition.normalizer ? partsOf(definition.normalizer) : [];
  if (normalizers.some(lowers)) return definition;
  return {
    ...definition,
    normalizer: { type: "Sequence", normalizers: [{ type: "Lowercase" }, ...normalizers] },
  };
}

function partsOf(normalizer: Normalizer): readonly Normalizer[] {
  return normalizer.type === "Sequence" ? (normalizer.normalizers ?? []) : [normalizer];
}

function lowers({ type, lowercase }: Normalizer): boolean {
  return type === "Lowercase" || lowercase === true;
}

/** What the library leaves out, compared with Hugging Face's own tokenizer. */
function mendFor({ normalizer }: TokenizerDefinition): (text: string) => string {
  const normalizers = normalizer ? partsOf(normalizer) : [];
  const bert = normalizers.find(({ type }) => type === "BertNormalizer");
  // Rust writes small letters one by one; JavaScript looks whether a sigma ends its word.
  const lowersSigma = normalizers.some(lowers);
  return (text) => {
    const mended = bert === undefined ? text : mendForBert(text, bert);
    return lowersSigma ? mended.replaceAll("Σ", "σ") : mended;
  };
}

const whitespaceSplitters = ["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Metaspace"];

function splitsAtWhitespace(definition: TokenizerDefinition): boolean {
  const spaced = definition.added_tokens?.some(({ content }) => /\s/.test(content)) ?? false;
  return !spaced && whitespaceSplitters.includes(definition.pre_tokenizer?.type ?? "");
}

function whitespaceFrom(text: string, start: number): number {
  if (start >= text.length) return -1;
  const found = text.slice(start).search(/[ \t\r\n]/);
  return found < 0 ? -1 : start + found;
}

/** Encodes texts one by one: a row is a text's token ids, after the number of those that are the prompt's if asked for. */
export function tokenise(
  tokenizer: TextTokenizer,
  texts: readonly string[],
  prompt: string,
  { countsPrompt }: { countsPrompt: boolean },
): Prepared {
  const failures: { index: number; message: string; mend?: string }[] = [];
  const first = countsPrompt ? [tokenizer.promptTokens(prompt)] : [];
  const lists = texts.map((text, index) => {
    try {
      const ids = tokenizer.encode(text, prompt);
      return ids.length === 0 ? ids : [...first, ...ids];
    } catch (error) {
      const { message, mend } = error as MedleyError;
      failures.push({ index, message, ...(mend === undefined ? {} : { mend }) });
      return [];
    }
  });
  return {
    values: Int32Array.from(lists.flat()),
    lengths: Int32Array.from(lists, (ids) => ids.length),
    failures,
  };
}
