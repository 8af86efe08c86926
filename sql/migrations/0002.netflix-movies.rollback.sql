DROP TABLE netflix.movie_matches;
DROP TABLE netflix.movies;
DROP FUNCTION netflix.touch_updated_at();
DROP SCHEMA netflix;
