"""What starts runs, and when."""
