"""Files of the folder into tables: landing, loading, the movie collection, released rows."""
