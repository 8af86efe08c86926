"""The recommender side by side with the libraries that its users would pick instead."""
