-- Movies of the collection, to be matched with the catalogue.
SELECT id, title, genre, rating, year FROM netflix.movies ORDER BY title, year, id
