"""Compiled loops that several methods share. Importing any of them loads numba."""
