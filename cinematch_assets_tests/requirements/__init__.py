"""The set-up that make does."""
