"""Lists: which films someone will like most. ``ranker`` is the door; the other modules are its parts."""
