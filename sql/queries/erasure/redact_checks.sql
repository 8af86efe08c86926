-- In Dagster's history of checks: cells that show a person's row.
UPDATE asset_check_executions SET evaluation_event = replace(evaluation_event, %(old)s, %(new)s)
WHERE position(%(old)s IN evaluation_event) > 0
