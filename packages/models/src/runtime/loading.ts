import { MedleyError } from "@medley/core";

/** Runs what loads a model: whatever ONNX Runtime says against its file becomes `model_unsupported`, with the path. */
export async function loading<Session>(path: string, load: () => Promise<Session>): Promise<Session> {
  try {
    return await load();
  } catch (cause) {
    if (cause instanceof MedleyError) throw cause;
    throw new MedleyError("model_unsupported", `${path}: ${(cause as Error).message}`, {
      mend: "use an ONNX export that ONNX Runtime can load",
      cause,
    });
  }
}
