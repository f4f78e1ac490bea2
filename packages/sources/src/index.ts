export { type SourceFormat, sourceFormats } from "./format.ts";
export type { SourceItem } from "./item.ts";
export { openSource, type Source, type SourceOptions } from "./source.ts";
