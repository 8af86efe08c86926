"""The recommender: from rows of ratings to predicted stars, ranked lists and honest figures about both."""
