import { strict as assert } from "node:assert";
import {
  type Classifier,
  type EncodeFailure,
  type EncodeResult,
  type Encoder,
  fail,
  MedleyError,
  type Result,
  succeed,
} from "@medley/core";
import type { Admission } from "./admission.ts";
import { failureOf, notFinite } from "./gatherer.ts";
import type { OpenModel } from "./open-model.ts";
import type { InputAnswer } from "./protocol.ts";
import { type RowValues, splitRows } from "./rows.ts";

export interface ModelEncoderOptions<Value> {
  readonly model: OpenModel;
  readonly queryAdmission: Admission;
  /** What the model's sessions are given for a value: a text as it is, the bytes of a picture or clip. */
  readonly inputOf: (value: Value, signal?: AbortSignal) => Promise<Result<unknown, EncodeFailure>>;
  /** Checks what a search says about the space, and makes it a value. Throws `query_invalid`. */
  readonly queryValueOf: (query: unknown) => Value;
  /** Of an artefact that has one. */
  readonly classifier?: Classifier | undefined;
}

/**
 * The segments of a space by a model: its vector of each value, or all zero for a value that says nothing (a text
 * without tokens). Values are read and prepared a few at a time, as they are admitted; their rows meet those of other
 * callers in the model's gatherer.
 */
export class ModelEncoder<Value> implements Encoder<Value, unknown> {
  readonly usesModel = true;
  readonly #options: ModelEncoderOptions<Value>;

  constructor(options: ModelEncoderOptions<Value>) {
    this.#options = options;
  }

  get dimensions(): number {
    return this.#options.model.model.dimensions;
  }
  get identity(): string {
    return this.#options.model.model.identity;
  }
  get classifier(): Classifier | undefined {
    return this.#options.classifier;
  }

  async encode(values: readonly Value[], signal?: AbortSignal): Promise<readonly EncodeResult[]> {
    const { model } = this.#options;
    assert(model.loaded, "a model that is only described does not encode");
    const { jobInputsMax, inputsAdmittedMax } = model.scale;
    const results = new Array<EncodeResult>(values.length);
    let start = 0;
    const lane = async () => {
      while (start < values.length) {
        const from = start;
        start += jobInputsMax;
        const part = values.slice(from, from + jobInputsMax);
        const encoded = await this.#encodePart(part, signal);
        for (const [index, result] of encoded.entries()) results[from + index] = result;
      }
    };
    const lanes = Math.min(
      Math.ceil(values.length / jobInputsMax),
      Math.ceil(inputsAdmittedMax / jobInputsMax),
    );
    await Promise.all(Array.from({ length: lanes }, lane));
    assert(results.every((result) => result !== undefined));
    return results;
  }

  /** Throws `query_invalid`, `encoder_failed` or `encoder_unavailable`. Goes ahead of all records that wait. */
  async encodeQuery(query: unknown, signal?: AbortSignal): Promise<Float32Array> {
    const { model, queryAdmission, inputOf, queryValueOf } = this.#options;
    assert(model.loaded, "a model that is only described does not encode");
    const input = await inputOf(queryValueOf(query), signal);
    if (!input.ok) {
      const { code, message, ...rest } = input.failure;
      throw new MedleyError(code === "encoder_failed" ? "query_invalid" : code, message, rest);
    }
    const answer = await queryAdmission.enter(1, () => model.query(input.value, signal), signal);
    if (answer.kind === "unreadable") {
      const { message, ...rest } = answer.failure;
      throw new MedleyError("query_invalid", message, rest);
    }
    const result = this.#resultOf(answer);
    if (result.ok) return result.value;
    throw new MedleyError(result.failure.code, result.failure.message);
  }

  async #encodePart(values: readonly Value[], signal?: AbortSignal): Promise<EncodeResult[]> {
    const { model } = this.#options;
    try {
      const encode = model.scale.gathers ? this.#gather : this.#embedEach;
      return await model.admission.enter(values.length, () => encode.call(this, values, signal), signal);
    } catch (error) {
      signal?.throwIfAborted();
      const failure = failureOf(error);
      return values.map(() => fail(failure));
    }
  }

  /** Each in one go, by any thread. */
  async #embedEach(values: readonly Value[], signal?: AbortSignal): Promise<EncodeResult[]> {
    const { model, inputOf } = this.#options;
    return Promise.all(
      values.map(async (value) => {
        const input = await inputOf(value, signal);
        return input.ok ? this.#resultOf(await model.embed(input.value, signal)) : fail(input.failure);
      }),
    );
  }

  #resultOf(answer: InputAnswer): EncodeResult {
    switch (answer.kind) {
      case "empty":
        return succeed(new Float32Array(this.dimensions));
      case "unreadable":
        return fail({ code: "encoder_failed", ...answer.failure });
      case "ran":
        return answer.failed.length > 0 ? fail(notFinite) : succeed(answer.vectors);
    }
  }

  /** Prepared together; their rows meet those of other callers in batches. */
  async #gather(values: readonly Value[], signal?: AbortSignal): Promise<EncodeResult[]> {
    const { gatherer } = this.#options.model;
    // All zero until it is known better: the segment of a value that says nothing, which is in no batch.
    const results = values.map((): EncodeResult => succeed(new Float32Array(this.dimensions)));
    const rowsCame = gatherer.expect();
    let places: number[];
    let encoding: Promise<EncodeResult[]>;
    try {
      const rows = await this.#rowsOf(values, results, signal);
      places = rows.map(({ index }) => index);
      encoding = gatherer.submit(
        rows.map(({ row }) => row),
        signal,
      );
    } finally {
      rowsCame();
    }
    for (const [at, result] of (await encoding).entries()) results[places[at] as number] = result;
    return results;
  }

  /** Reads and prepares values; writes the failures into `results`. */
  async #rowsOf(
    values: readonly Value[],
    results: EncodeResult[],
    signal?: AbortSignal,
  ): Promise<{ index: number; row: RowValues }[]> {
    const { model, inputOf } = this.#options;
    const read = await Promise.all(values.map((value) => inputOf(value, signal)));
    const inputs: { index: number; input: unknown }[] = [];
    for (const [index, input] of read.entries()) {
      if (input.ok) inputs.push({ index, input: input.value });
      else results[index] = fail(input.failure);
    }
    if (inputs.length === 0) return [];
    const prepared = await model.prepare(
      inputs.map(({ input }) => input),
      signal,
    );
    const placeOf = (at: number) => (inputs[at] as { index: number }).index;
    for (const { index, ...failure } of prepared.failures) {
      results[placeOf(index)] = fail({ code: "encoder_failed", ...failure });
    }
    const rows = splitRows(prepared).map((row, at) => ({ index: placeOf(at), row }));
    return rows.filter(({ row }) => row.length > 0);
  }
}
