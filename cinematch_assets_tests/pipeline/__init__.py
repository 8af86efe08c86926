"""Steps, on a real database, folder and store."""
