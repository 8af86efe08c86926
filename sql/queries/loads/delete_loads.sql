-- Loads that are neither in a table nor needed for a version within retention.
DELETE FROM ops.table_loads WHERE NOT id = ANY(%(kept)s) AND loaded_at < clock_timestamp() - make_interval(days => %(days)s)
