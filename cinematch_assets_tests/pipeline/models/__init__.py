"""What is done with models, on a real database and store."""
