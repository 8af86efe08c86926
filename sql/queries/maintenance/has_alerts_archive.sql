-- Whether the archive is there: maintenance makes it at its first run, and those who only read may not.
SELECT to_regclass('drift_alerts_archive') IS NOT NULL
