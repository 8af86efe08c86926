"""What is different about a batch."""
