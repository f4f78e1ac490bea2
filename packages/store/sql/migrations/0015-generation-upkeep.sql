-- A generation's number is given once: vectors that were encoded for one that has ended may still be under way.
alter table medley_internal.collections add column newest_generation int not null default 1;
update medley_internal.collections as known set newest_generation = greatest(
  known.generation,
  (select max(other.generation) from medley_internal.generations as other where other.collection = known.name)
);

-- Of a process that also carries rows.
alter table medley_internal.generation_reader add column carries boolean not null default false;
