-- What searches of a class weigh, by its name: {"brand": {"maker": 1.8}}. Spaces that are not named keep their default. Null: from before
-- classes were kept here, which says no more than {}.

alter table medley_internal.collections add column classes jsonb;
alter table medley_internal.generations add column classes jsonb;
