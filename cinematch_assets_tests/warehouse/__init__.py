"""Tests of the warehouse, on real Postgres servers."""
