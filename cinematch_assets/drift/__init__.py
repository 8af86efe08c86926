"""Whether a batch of ratings still looks like the ratings that the model knows."""
