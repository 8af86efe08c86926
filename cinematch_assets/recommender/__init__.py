"""The recommender: from rows of ratings to predicted ratings, top-N recommendations and figures about both."""
