-- Begin an erasure.
INSERT INTO ops.erasures (requested_by, reason, people) VALUES (%(by)s, %(reason)s, %(people)s) RETURNING id
