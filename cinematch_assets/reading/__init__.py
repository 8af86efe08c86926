"""Bytes into accepted rows and rejected rows: files of ratings, of movies, and of the collection."""
