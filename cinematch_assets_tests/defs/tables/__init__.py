"""Assets that are tables."""
