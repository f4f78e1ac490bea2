import type { SpaceLabel } from "@medley/core";
import type { CollectionEncoders } from "../collection-encoders.ts";

/**
 * By space, what the classifiers of a collection say of the segments of a fused vector: always anew, also of a segment that was
 * copied, since it costs no run of a model. Null where no space has a classifier.
 */
export function spaceLabels(
  { encoders, layout }: Pick<CollectionEncoders, "encoders" | "layout">,
  vector: Float16Array,
): Readonly<Record<string, SpaceLabel>> | null {
  const labels: Record<string, SpaceLabel> = {};
  let hasClassifier = false;
  for (const [index, { space, offset, dimensions }] of layout.entries()) {
    const classifier = encoders[index]?.classifier;
    if (classifier === undefined) continue;
    hasClassifier = true;
    const said = classifier.classify(vector.subarray(offset, offset + dimensions));
    if (said !== null) labels[space] = { label: said.label, probability: said.probability };
  }
  return hasClassifier ? labels : null;
}
