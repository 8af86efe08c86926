"""Tests of the recommender, mirrored by path."""
