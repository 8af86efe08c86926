"""The SQL that is shipped: migrations and queries, against the documents they come from."""
