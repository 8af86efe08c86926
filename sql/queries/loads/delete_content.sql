-- Loads of an object that has no rows any more.
DELETE FROM ops.table_loads WHERE store_key = %(former)s
