export { keepMessage, keptMessage } from "./events/kept-message.ts";
export { type MapOptions, type MappedMessage, mapMessage } from "./events/map-message.ts";
export { noMemory, type PartitionMemory } from "./events/message-version.ts";
export { type SourceFormat, sourceFormats } from "./format.ts";
export type { SourceItem } from "./item.ts";
export { openSource, type Source, type SourceOptions } from "./source.ts";
export {
  type InstalledSource,
  installOutbox,
  installScript,
  listInstalled,
  type OutboxState,
  type OutboxStatus,
  readOutboxStatus,
  uninstallOutbox,
} from "./table/outbox.ts";
export { outboxOf } from "./table/outbox-ddl.ts";
export { connect, type TableDatabaseOptions } from "./table/table-database.ts";
export type { TablePlan } from "./table/table-plan.ts";
export { type ChangeBatch, openRelay, type TableRelay, type TableRelayOptions } from "./table/table-relay.ts";
export { openTable, planOf, type TableRows } from "./table/table-source.ts";
