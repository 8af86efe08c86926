"""Predicted stars: what a rating would be, and how far off that may be. ``table`` is what every method ends as."""
