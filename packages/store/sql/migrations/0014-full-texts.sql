-- Texts that are searched by their words: [{"name": "words", "fields": [{"field": "title", "label": "A"}], "language": "english", "weight": 1}].
-- Each has a column of its own in the table of rows, `_text_NAME`. See functions/texts.sql.
alter table medley_internal.collections add column texts jsonb not null default '[]';
alter table medley_internal.generations add column texts jsonb not null default '[]';
