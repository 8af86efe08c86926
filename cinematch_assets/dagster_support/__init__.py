"""What knows Dagster and is no definition: checks, metadata, runs, the instance."""
