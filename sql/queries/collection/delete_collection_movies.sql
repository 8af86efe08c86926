-- Movies that their file no longer has, as its new content says, and that no other file has.
DELETE FROM netflix.movies WHERE id = ANY(%(ids)s::uuid[])
