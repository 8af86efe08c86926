"""Drift of a batch against the baseline."""
