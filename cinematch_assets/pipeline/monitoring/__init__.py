"""The monitoring page: what is known, the page, and where it is stored."""
