-- One batch, out of the ratings it was merged into.
DELETE FROM ratings WHERE batch_id = %(batch_id)s
