-- The steps of an erasure, until the transaction ends.
SELECT steps FROM ops.erasures WHERE id = %(id)s FOR UPDATE
