-- Wait for every transaction that is writing ratings, and let none begin to, until this one ends.
LOCK TABLE ratings, ratings_buffer, recommendations IN SHARE ROW EXCLUSIVE MODE
