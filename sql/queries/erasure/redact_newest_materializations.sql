-- In what Dagster keeps of each asset's newest materialization: cells that show a person's row.
UPDATE asset_keys SET last_materialization = replace(last_materialization, %(old)s, %(new)s)
WHERE position(%(old)s IN last_materialization) > 0
