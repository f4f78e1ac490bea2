-- What the roles of a deployment may do. `app` is what the services connect with: rows, dead letters, runs and the queue in
-- schema bullmq, but no table is its own, so it can't change, empty or drop one; and no row of a collection can be deleted,
-- since a tombstone has to stay. `read` is for searches: the views of the collections and the functions, which read through such
-- views with the rights of whoever calls them; but two of profiles.sql, which answer for one user that is named.

-- The grants that a role lacks, as statements. Raises 42704 where there is no such role.
create or replace function medley_internal.missing_grants(grantee text, kind text)
returns setof text language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from pg_roles where rolname = grantee) then
    raise exception 'there is no role "%"', grantee using errcode = '42704',
      hint = format('as an administrator: create role %I login', grantee);
  end if;
  return query
    select format('grant connect on database %I to %I', current_database(), grantee)
      where not has_database_privilege(grantee, current_database(), 'connect')
    union all
    select format('grant usage on schema %I to %I', nspname, grantee) from pg_namespace as namespace
    where (
      nspname in ('medley', 'medley_internal') or nspname = 'bullmq' and kind = 'app'
      or namespace.oid = (select extnamespace from pg_extension where extname = 'vector')
    ) and not has_schema_privilege(grantee, namespace.oid, 'usage')
    union all
    select format('grant %s on %s %I.%I to %I', string_agg(privilege, ', '),
      case relkind when 'S' then 'sequence' else 'table' end, schema, name, grantee)
    from medley_internal.wanted_relation_grants(kind)
    where not case relkind
      when 'S' then has_sequence_privilege(grantee, relation, privilege)
      else has_table_privilege(grantee, relation, privilege)
    end
    group by relkind, schema, name
    union all
    select format('grant execute on routine %s to %I', pg_proc.oid::regprocedure, grantee)
    from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
    where (nspname in ('medley', 'medley_internal') or nspname = 'bullmq' and kind = 'app')
      and not has_function_privilege(grantee, pg_proc.oid, 'execute');
end $$;

create or replace function medley_internal.wanted_relation_grants(kind text)
returns table (relation oid, relkind "char", schema name, name name, privilege text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select class.oid, class.relkind, nspname, relname, unnest(case
    when kind = 'read' then case
      when nspname = 'medley' and exists (select from medley_internal.collections as c where c.name = relname)
        or nspname = 'medley_internal' and (
          relname in ('collections', 'search_statistics', 'search_weightings', 'search_plans', 'graph_axes', 'filter_indexes') or relkind = 'v' and relname like '%\_rows'
        ) then '{select}'::text[]
    end
    when class.relkind = 'S' then '{usage}'
    when nspname = 'medley' or relname in ('migrations', 'collections', 'generations', 'granted_roles', 'search_statistics', 'search_weightings', 'search_plans', 'graph_axes', 'filter_indexes') and nspname = 'medley_internal'
      then '{select}'
    when nspname = 'medley_internal' and relkind = 'v' then '{select}'
    when nspname = 'medley_internal' and (
      exists (select from medley_internal.collections as c where c.live_table = relname)
      or exists (select from medley_internal.generations as g where g.table_name = relname)
    ) then '{select,insert,update}'
    else '{select,insert,update,delete}'
  end)
  from pg_class as class join pg_namespace on pg_namespace.oid = relnamespace
  where nspname in ('medley', 'medley_internal', 'bullmq') and class.relkind in ('r', 'p', 'v', 'm', 'S')
$$;

-- What of a role's rights its kind forbids; null: nothing. Grants can't bind such a role.
create or replace function medley_internal.excess_rights(grantee text)
returns text language sql stable set search_path = pg_catalog, pg_temp as $$
  select case
    when rolsuper then 'is a superuser'
    when exists (
      select from pg_class join pg_namespace on pg_namespace.oid = relnamespace
      where nspname in ('medley', 'medley_internal', 'bullmq') and pg_has_role(pg_roles.oid, relowner, 'usage')
    ) then 'owns Medley''s tables'
    when exists (
      select from pg_namespace
      where nspname in ('medley', 'medley_internal', 'bullmq') and has_schema_privilege(pg_roles.oid, pg_namespace.oid, 'create')
    ) then 'may create tables in Medley''s schemas'
  end
  from pg_roles where rolname = grantee
$$;

-- Grants what is missing, now and with every later `medley migrate`; returns the statements it ran.
create or replace function medley_internal.grant_role(grantee text, kind text)
returns setof text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  statement text;
  excess text := medley_internal.excess_rights(grantee);
  earlier text := (select known.kind from medley_internal.granted_roles as known where role_name = grantee);
begin
  if excess is not null then
    raise exception 'role "%" %', grantee, excess using errcode = '22023',
      hint = 'name a role without such rights: grants can''t take them away';
  elsif earlier <> kind then
    raise exception 'role "%" has the rights of kind "%"', grantee, earlier using errcode = '22023',
      hint = format('name another role, or first: drop owned by %1$I; delete from medley_internal.granted_roles where role_name = %1$L',
        grantee);
  end if;
  for statement in select * from medley_internal.missing_grants(grantee, kind) loop
    execute statement;
    return next statement;
  end loop;
  insert into medley_internal.granted_roles values (grantee, kind) on conflict do nothing;
end $$;
