-- What in the store the database still points to.
SELECT store_key FROM ops.files WHERE state IN ('landed', 'loaded')
UNION SELECT artifact_key FROM ops.model_versions
