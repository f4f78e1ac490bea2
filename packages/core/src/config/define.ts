import type { Fields } from "../fields.ts";
import type { MedleyDefinition } from "./definition.ts";

/**
 * Types a configuration as written: a space that names a field of the wrong type, or one that does not exist, does not
 * compile. It returns its argument; the same rules are checked again when the configuration is loaded.
 */
export function defineConfig<const C extends Readonly<Record<string, Fields>>>(
  definition: MedleyDefinition<C>,
): MedleyDefinition<C> {
  return definition;
}
