import type { Model } from "../artefact/model.ts";
import { AudioSession } from "../audio/audio-session.ts";
import { ImageSession } from "../image/image-session.ts";
import { TextSession } from "../text/text-session.ts";
import { TrainedSession } from "../trained/trained-session.ts";
import type { Device } from "./device.ts";
import { type Session, sessionOptionsOf } from "./session.ts";

/** Loads a model into this thread, by its kind. */
export function openSession(model: Model, device: Device): Promise<Session<never>> {
  const options = sessionOptionsOf(device);
  switch (model.kind) {
    case "audio":
      return AudioSession.open(model, options);
    case "text":
      // A GPU then copies back one vector a text, not its hidden states.
      return TextSession.open(model, options, { poolsInGraph: device !== "cpu" });
    case "trained":
      return TrainedSession.open(model, options);
    case "image":
      return ImageSession.open(model, options);
  }
}
