"""Rating prediction: trainers of biases, ALS and a Bayesian factorization machine; each ends in a rating table."""
