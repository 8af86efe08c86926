"""Pages for people, and what generates those that follow from the code."""
