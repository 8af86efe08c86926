"""Code that knows Dagster and is no definition: checks, metadata, runs, progress, the instance."""
