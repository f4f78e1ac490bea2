import type { Model } from "../artefact/model.ts";
import { ImageSession } from "../image/image-session.ts";
import { TextSession } from "../text/text-session.ts";
import { type Session, sessionOptions } from "./session.ts";

/** Loads a model into this thread, by its kind. */
export function openSession(model: Model): Promise<Session<never>> {
  switch (model.kind) {
    case "text":
      return TextSession.open(model, sessionOptions);
    case "image":
      return ImageSession.open(model, sessionOptions);
  }
}
