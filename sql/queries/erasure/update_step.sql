-- Record that a step is done, with its counts.
UPDATE ops.erasures SET steps = steps || %(step)s WHERE id = %(id)s
