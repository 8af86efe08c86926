-- Movies that are in the collection's table more than once; an empty rating or year is a value like any other.
SELECT COALESCE(sum(copies - 1), 0)::bigint
FROM (SELECT count(*) AS copies FROM netflix.movies GROUP BY title, genre, rating, year HAVING count(*) > 1) AS twice
