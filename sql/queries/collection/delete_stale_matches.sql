-- Matches of titles that no rule matches any more.
DELETE FROM netflix.movie_matches WHERE id <> ALL(%(ids)s::uuid[])
