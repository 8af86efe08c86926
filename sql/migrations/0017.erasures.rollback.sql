ALTER TABLE ops.model_versions DROP COLUMN erased_by;
ALTER TABLE ops.files DROP COLUMN stored_md5, DROP COLUMN stored_size, DROP COLUMN cleaned_for;
DROP TABLE ops.suppressed_users;
DROP TABLE ops.erasures;
