"""Dagster's UI behind a guard, with the stored reports beside it."""
