-- Who was champion when, and why it changed.
INSERT INTO ops.champion_changes (version, former, reason) VALUES (%(version)s, %(former)s, %(reason)s)
