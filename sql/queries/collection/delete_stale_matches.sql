-- Titles that no rule finds any more.
DELETE FROM netflix.movie_matches WHERE id <> ALL(%(ids)s::uuid[])
