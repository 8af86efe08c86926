-- In Dagster's event log: cells that show a person's row.
UPDATE event_logs SET event = replace(event, %(old)s, %(new)s) WHERE position(%(old)s IN event) > 0
