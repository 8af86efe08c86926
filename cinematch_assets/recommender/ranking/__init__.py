"""Lists: which movies someone will like most. ``ranker`` is the door; the other modules are its parts."""
