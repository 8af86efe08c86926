"""Movies as numbers."""
