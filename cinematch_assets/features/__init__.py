"""What a movie is known by before anybody rates it."""
