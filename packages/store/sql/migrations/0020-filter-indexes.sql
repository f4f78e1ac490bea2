-- Fields that filters read, which `medley index` gives an index each, in every generation. See functions/filter-indexes.sql.

create table medley_internal.filter_indexes (
  collection text collate "C" not null references medley_internal.collections on delete cascade,
  field text collate "C" not null,
  primary key (collection, field)
);

-- It has got a parameter more.
drop function if exists medley_internal.field_condition(text, text, text, jsonb, text[]);
