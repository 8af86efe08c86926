"""Features of movies."""
