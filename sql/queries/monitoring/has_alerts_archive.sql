-- Whether maintenance has archived alerts; before that the table is not there.
SELECT to_regclass('public.drift_alerts_archive') IS NOT NULL
