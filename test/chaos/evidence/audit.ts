import { collectionName, refusedTitle } from "../workload/content.ts";

export const table = `medley_internal."${collectionName}_g1"`;

/**
 * Logs every effective write of the collection's table, and makes the table refuse some titles. `seq` is drawn under the
 * row's lock, so of one id it follows the order of the writes.
 */
export const auditSql = `create schema chaos;
create table chaos.audit (
  seq bigserial primary key, id text not null, version bigint not null, deleted boolean not null,
  content_md5 text, vector_md5 text, txid xid8 not null default pg_current_xact_id(),
  backend int not null default pg_backend_pid(), written_at timestamptz not null default clock_timestamp()
);
create function chaos.log_write() returns trigger language plpgsql set search_path = public, pg_catalog as $$
begin
  insert into chaos.audit (id, version, deleted, content_md5, vector_md5) values (
    new.id, new.version, new.deleted_at is not null,
    md5(new.title || '|' || new.code::text || '|' || new.amount::text || '|' || new.kind),
    md5(halfvec_send(new.embedding))
  );
  return null;
end $$;
create trigger audit after insert or update on ${table} for each row execute function chaos.log_write();
alter table ${table} add constraint readable check (title not like '${refusedTitle} %');`;

export interface AuditedWrite {
  readonly id: string;
  readonly version: number;
  readonly deleted: boolean;
  readonly contentMd5: string | null;
  readonly vectorMd5: string | null;
}

export interface StoredRow extends AuditedWrite {}

export interface Letter {
  readonly id: string | null;
  readonly version: number | null;
  readonly stage: "produce" | "embed" | "index";
  readonly source: string;
}

/** In the order of writing. */
export const auditQuery = `select id, version::float8 as version, deleted, content_md5 as "contentMd5",
  vector_md5 as "vectorMd5" from chaos.audit order by seq`;

export const rowsQuery = `select id, version::float8 as version, deleted_at is not null as deleted,
  md5(title || '|' || code::text || '|' || amount::text || '|' || kind) as "contentMd5",
  md5(halfvec_send(embedding)) as "vectorMd5" from ${table}`;

export const lettersQuery = `select record_id as id, version::float8 as version, stage, source
from medley_internal.dead_letters`;
