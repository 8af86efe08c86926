"""Drift of a batch: statistics against the baseline, alerts, and what the statistics are without drift."""
