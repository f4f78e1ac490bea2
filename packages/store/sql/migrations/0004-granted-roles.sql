-- Roles that `medley migrate` has been told of: each later migration grants them what is new (see functions/roles.sql).
create table medley_internal.granted_roles (
  role_name text primary key,
  -- app: what the services need. read: views and search functions.
  kind text not null check (kind in ('app', 'read'))
);
