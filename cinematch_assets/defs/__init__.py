"""The definitions that Dagster shows: an asset a file, in the folder of its group, and what starts runs."""
