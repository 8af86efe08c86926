"""What the platform tells people about itself."""
