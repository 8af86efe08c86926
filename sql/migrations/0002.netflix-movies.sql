-- The movie library's table, as its document writes it, in a schema of its own: public.movies is MovieLens'.
-- depends: 0001.cinematch-tables

CREATE SCHEMA netflix;

CREATE TABLE netflix.movies (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    title VARCHAR(255) NOT NULL,
    genre VARCHAR(100) NOT NULL,
    rating DECIMAL(3,1) CHECK (rating >= 0 AND rating <= 10),
    year INTEGER CHECK (year >= 1900 AND year <= 2100),
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_movies_title ON netflix.movies(title);
CREATE INDEX idx_movies_genre ON netflix.movies(genre);
CREATE INDEX idx_movies_year ON netflix.movies(year);
CREATE INDEX idx_movies_rating ON netflix.movies(rating);

-- The same movie never twice, also where rating or year is empty (hence NULLS NOT DISTINCT, Postgres 15+).
ALTER TABLE netflix.movies
    ADD CONSTRAINT movies_same_movie_once UNIQUE NULLS NOT DISTINCT (title, genre, rating, year);

CREATE FUNCTION netflix.touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := CURRENT_TIMESTAMP;
    RETURN NEW;
END
$$;

CREATE TRIGGER movies_touch_updated_at BEFORE UPDATE ON netflix.movies
    FOR EACH ROW EXECUTE FUNCTION netflix.touch_updated_at();

-- Each collection title's film in public.movies, where there is exactly one.
CREATE TABLE netflix.movie_matches (
    id UUID PRIMARY KEY REFERENCES netflix.movies(id) ON DELETE CASCADE,
    movieId INTEGER,
    method VARCHAR(50) NOT NULL,
    score FLOAT,
    candidates INTEGER[] NOT NULL DEFAULT '{}',
    matched_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_movie_matches_movie ON netflix.movie_matches(movieId);
