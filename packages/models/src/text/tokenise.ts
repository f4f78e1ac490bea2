import { Tokenizer } from "@huggingface/tokenizers";
import { MedleyError } from "@medley/core";
import type { TextModel } from "../artefact/text-model.ts";
import type { Prepared } from "../runtime/session.ts";

/** Characters per token that a first guess allows for; English has about 4.5, with its spaces. */
const charactersPerToken = 8;

/**
 * A model's tokenizer with the truncation that the library leaves to us: the special tokens stay, what is between
 * is cut at `tokensMax`. A long text is only read as far as it can matter.
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
    this.#tokenizer = new Tokenizer(definition, {});
    this.#model = model;
    this.#splitsAtWhitespace = splitsAtWhitespace(definition);
    this.#mend = mendFor(definition);
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
   * The first ids of a text, at least `wanted` where it has as many. The tokenizer never looks across whitespace,
   * so the text is read in whitespace-bounded prefixes of doubling length: their ids are the text's first ids.
   */
  #ownIds(text: string, wanted: number): number[] {
    const cased = this.#model.lowerCase ? text.toLowerCase() : text;
    for (let characters = wanted * charactersPerToken; ; characters *= 2) {
      const end = this.#splitsAtWhitespace ? whitespaceFrom(cased, characters) : -1;
      const prefix = end < 0 ? cased : cased.slice(0, end);
      const { ids } = this.#tokenizer.encode(this.#mend(prefix), { add_special_tokens: false });
      if (end < 0 || ids.length >= wanted) return ids;
    }
  }
}

export interface TokenizerDefinition {
  readonly normalizer?: {
    readonly type?: string;
    readonly lowercase?: boolean;
    readonly handle_chinese_chars?: boolean;
  } | null;
  readonly pre_tokenizer?: { readonly type?: string } | null;
  readonly added_tokens?: readonly { readonly content: string }[];
}

/** Han characters beyond U+FFFF: the very ranges of Hugging Face's tokenizers (normalizers/bert.rs), gaps included. */
const rareHan = /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

/**
 * What the library's BERT normaliser leaves out, compared with Hugging Face's own tokenizer: each Han character is a
 * word, those beyond U+FFFF too; and a capital sigma is a plain small one even at a word's end. What stays different
 * are some 200 punctuation marks and accents of rare scripts: the two know different versions of Unicode.
 */
function mendFor({ normalizer }: TokenizerDefinition): (text: string) => string {
  if (normalizer?.type !== "BertNormalizer") return (text) => text;
  return (text) => {
    const spaced = normalizer.handle_chinese_chars ? text.replace(rareHan, " $& ") : text;
    return normalizer.lowercase ? spaced.replaceAll("Σ", "σ") : spaced;
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

/** Encodes texts one by one: a row is a text's token ids. */
export function tokenise(tokenizer: TextTokenizer, texts: readonly string[], prompt: string): Prepared {
  const failures: { index: number; message: string; mend?: string }[] = [];
  const lists = texts.map((text, index) => {
    try {
      return tokenizer.encode(text, prompt);
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
