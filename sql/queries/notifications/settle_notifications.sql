-- What they are about has ended: the next time it is told again.
UPDATE ops.notifications SET about = NULL WHERE about = ANY(%(abouts)s)
