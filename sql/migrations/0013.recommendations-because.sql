-- Up to three movies of the user's history that contributed most to a recommendation; 32 bytes a row.
-- depends: 0007.computed-by

ALTER TABLE recommendations ADD COLUMN because INTEGER[] NOT NULL DEFAULT '{}';
