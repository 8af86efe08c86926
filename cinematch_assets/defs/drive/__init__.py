"""Files as they were dropped."""
