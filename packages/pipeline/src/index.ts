export { bisect } from "./bisect.ts";
export { type CollectionEncoders, collectionEncoders } from "./collection-encoders.ts";
export {
  addOutcomes,
  noOutcomes,
  type PacketCounters,
  type PipelineCounters,
  pipelineCounters,
  type RefreshCounters,
  type SegmentCounters,
  type StageCounters,
  settledOf,
} from "./counters.ts";
export { cursorCharsMax } from "./cursor.ts";
export { deadLetterOf, messageOf } from "./dead-letters.ts";
export { type CarryPorts, carryRows, sameSegment } from "./embed/carry-rows.ts";
export { type EmbedPorts, embed } from "./embed/embed.ts";
export { readsSegments } from "./embed/graph-segments.ts";
export { type RefreshPorts, refreshRows, spreadChanges } from "./embed/refresh-rows.ts";
export { type EncodedAs, type Encoding, encodedAs, encodeInputs } from "./encode-inputs.ts";
export { Histogram, quantileOf } from "./histogram.ts";
export { type IndexPorts, indexRows } from "./index-rows.ts";
export { charsOf, PacketRoom } from "./packet-room.ts";
export {
  type Checked,
  checkInputs,
  collectionNamed,
  deadLetterOfRejection,
  type Input,
  type ProducePorts,
  type Rejection,
  send,
} from "./produce.ts";
export { encodedAnew, hitsMax, type Query, querySegments } from "./query.ts";
export { weighedByClass } from "./query-class.ts";
export { type Batched, hitsOf, hitsPerBatch, inBatch, searchesPerBatch } from "./search-batch.ts";
export { type SearchPage, searchPage } from "./search-page.ts";
export { laneOf } from "./stage.ts";
export { inSpan, parseTraceparent, type SpanOptions, spanLinksMax, traceparentOf } from "./tracing.ts";
export {
  type AskChat,
  type ChatRequest,
  saidBefore,
  sentenceCharsMax,
  type Understood,
  understand,
} from "./understanding/understand.ts";
