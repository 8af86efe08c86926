"""Tests of objects by key, and of atomic files."""
