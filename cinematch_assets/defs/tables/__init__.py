"""Landed files as tables."""
