"""Features of movies that need no ratings."""
