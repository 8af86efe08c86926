"""What assets are handed."""
