export { closest, suggestion } from "./closest.ts";
export {
  type Collection,
  type Field,
  isTextSpace,
  type SegmentLayout,
  type Space,
  spaceOf,
} from "./collection.ts";
export type { CandidateSpace } from "./config/candidates.ts";
export { checkConfig } from "./config/check.ts";
export { defineConfig } from "./config/define.ts";
export type {
  AudioSpace,
  CategorySpace,
  CollectionDefinition,
  ContentSources,
  EncoderName,
  FieldOf,
  GeoSpace,
  ImageSpace,
  MedleyDefinition,
  NumberSpace,
  RecencySpace,
  RemoteSpace,
  SpaceDefinition,
  TextSpace,
  VectorSpace,
} from "./config/definition.ts";
export type { FullText, FullTextDefinition, WordLabel } from "./config/full-texts.ts";
export { type HostPattern, parseHostPattern } from "./config/host-pattern.ts";
export type { Profiles, ProfilesDefinition } from "./config/profiles.ts";
export {
  projectionOf,
  type Reduced,
  type ReducedBy,
  reduce,
  reducedBy,
  reducedDimensionsMin,
  reductionOf,
  unreduced,
} from "./config/reduced.ts";
export { remoteAddressProblems } from "./config/remote-address.ts";
export { configJsonSchema } from "./config/shape.ts";
export { type SourceDefinition, sourceName } from "./config/sources.ts";
export {
  type FieldColumn,
  type PlaceColumns,
  type RowCondition,
  type RowValue,
  type TableSource,
  tableName,
  type ZonedColumn,
} from "./config/table-source.ts";
export { type CollectionTask, isLabelTask, type TaskDefinition } from "./config/tasks.ts";
export type {
  DeleteCondition,
  DeleteValue,
  FieldPath,
  MessagePath,
  PlacePaths,
  TimePath,
  TimeUnit,
  TopicFormat,
  TopicSource,
} from "./config/topic-source.ts";
export {
  featuresOfSpace,
  hasArtefact,
  isGraphSpace,
  isTrainedSpace,
  isTunedSpace,
  type SeriesSpace,
  type TrainedSpace,
  targetOf,
  trainedEncoders,
} from "./config/trained-spaces.ts";
export { type DeadLetter, type Stage, type StoredDeadLetter, stages } from "./dead-letter.ts";
export {
  type DeadLetterColumn,
  type DeadLetterCondition,
  type DeadLetterOperator,
  type DeadLetterWhere,
  deadLetterConditions,
} from "./dead-letter-filter.ts";
export type { EncodeFailure, EncodeResult, Encoder, Neighbour, NodeInput } from "./encoder.ts";
export type { CategoryValue } from "./encoders/category.ts";
export { closedFormEncoder } from "./encoders/closed-form.ts";
export type { NumberQuery } from "./encoders/number.ts";
export type { RecencyQuery } from "./encoders/recency.ts";
export { cutEncoder, reducedEncoder, type SegmentEncoder } from "./encoders/reduced.ts";
export {
  type ChunkRef,
  firstGeneration,
  type OutcomeCounts,
  type Packet,
  packetRecordsMax,
  type RecordEnvelope,
  recordIdBytesMax,
  segmentHashBytes,
  type VectorEnvelope,
} from "./envelope.ts";
export { type ErrorCode, errorTable, isRetryable, MedleyError } from "./errors.ts";
export {
  dimensionsMax,
  type Fields,
  type FieldType,
  type FieldValue,
  type FieldValues,
  fieldTypes,
  type GeoPoint,
  type RecordFields,
  type Series,
  type VectorFieldType,
  vectorDimensions,
} from "./fields.ts";
export { fuse, normalize, weigh } from "./fuse.ts";
export { canonicalJson, identityOf } from "./identity.ts";
export { decodePacket, encodePacket, packetSchemaVersion } from "./packet-codec.ts";
export { type Clock, systemClock } from "./ports/clock.ts";
export type {
  ChangedRows,
  Generation,
  GenerationOf,
  GenerationStore,
  StoredRow,
  StoredSegment,
} from "./ports/generations.ts";
export type {
  Neighbourhood,
  NeighbourhoodReader,
  RefreshBatch,
  RefreshedRow,
  RefreshStore,
  StoredNode,
} from "./ports/graph-store.ts";
export type {
  BackfillRun,
  DeadLetterCount,
  DeadLetterPage,
  DeadLetterStore,
  RunMark,
  RunPosition,
  RunProgress,
  RunStore,
  Store,
  StoredSegments,
  WriteOutcome,
} from "./ports/store.ts";
export {
  type Backlog,
  type Channel,
  type ChannelPackets,
  type Consumer,
  channels,
  type Delivery,
  type Lane,
  type Lanes,
  lanes,
  type Receive,
  type Transport,
} from "./ports/transport.ts";
export { Random } from "./random.ts";
export { type Content, contentBase64CharsMax, contentOf, parseContent } from "./record/content.ts";
export { isObject, textProblem } from "./record/describe-value.ts";
export { parseEdges } from "./record/parse-edges.ts";
export { opKey, type ParseOptions, parseRecord, type RecordProblem } from "./record/parse-record.ts";
export { parseSeries } from "./record/parse-series.ts";
export { parseTimestamp } from "./record/parse-timestamp.ts";
export { parseValue, textCharsMax } from "./record/parse-value.ts";
export { fail, type Result, succeed } from "./result.ts";
export type { AskedText, HitGroups, HitPlace, SearchQuery } from "./search.ts";
export { spaceInput } from "./space-input.ts";
export {
  type Classifier,
  type LabelColumns,
  labelColumns,
  labelColumnsOf,
  type SpaceLabel,
} from "./space-label.ts";
export { messageName, type TopicMessage } from "./topic-message.ts";
export {
  type EventEnvelope,
  envelopeOfEvent,
  eventOfEnvelope,
  isEvent,
  type UserEvent,
} from "./user-event.ts";
export { timeOf, type Version, VersionClock, version, versionAt, versionMax } from "./version.ts";
