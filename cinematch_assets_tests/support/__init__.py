"""Fakes, servers and builders that tests and benchmarks share."""
