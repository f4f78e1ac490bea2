import { InferenceSession } from "onnxruntime-node";
import { throughGate } from "../runtime/native-gate.ts";

/** ONNX Runtime's session, as session threads use it: whatever of it is native code is called through the thread's gate. */
export class NativeSession {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  static async create(graph: Uint8Array, options: InferenceSession.SessionOptions): Promise<NativeSession> {
    return new NativeSession(await throughGate(() => InferenceSession.create(graph, options)));
  }

  get inputNames(): readonly string[] {
    return this.#session.inputNames;
  }

  get outputNames(): readonly string[] {
    return this.#session.outputNames;
  }

  /** `fetches`: names of outputs, or tensors that outputs are written into. */
  run(
    feeds: InferenceSession.FeedsType,
    fetches: InferenceSession.FetchesType,
  ): Promise<InferenceSession.ReturnType> {
    return throughGate(() => this.#session.run(feeds, fetches));
  }
}
