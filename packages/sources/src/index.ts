export { keepMessage, keptMessage } from "./events/kept-message.ts";
export { type MapOptions, type MappedMessage, mapMessage } from "./events/map-message.ts";
export { noMemory, type PartitionMemory } from "./events/message-version.ts";
export type { SourceMessage } from "./events/source-message.ts";
export { type SourceFormat, sourceFormats } from "./format.ts";
export type { SourceItem } from "./item.ts";
export { openSource, type Source, type SourceOptions } from "./source.ts";
