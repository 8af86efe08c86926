-- Makes the archive if it is missing, with the columns of drift_alerts; a function of the owner, as others make no tables.
SELECT ops.make_alerts_archive()
