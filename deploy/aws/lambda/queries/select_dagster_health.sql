-- Seconds since the heartbeat of the daemon that has been silent longest, NULL unless all four have ever run; failed runs.
SELECT (SELECT CASE WHEN count(*) = 4 THEN EXTRACT(EPOCH FROM LOCALTIMESTAMP - min(timestamp)) END
        FROM daemon_heartbeats
        WHERE daemon_type IN ('SENSOR', 'SCHEDULER', 'QUEUED_RUN_COORDINATOR', 'MONITORING')),
       (SELECT count(*) FROM runs
        WHERE status = 'FAILURE' AND update_timestamp > LOCALTIMESTAMP - make_interval(mins => %(minutes)s))
