-- Add an entry; its number, time and database user are the server's.
INSERT INTO ops.audit (action, subject, actor, run_id, launched_by, reason, details)
VALUES (%(action)s, %(subject)s, %(actor)s, %(run_id)s, %(launched_by)s, %(reason)s, %(details)s)
