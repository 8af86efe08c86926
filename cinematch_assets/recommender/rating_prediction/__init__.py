"""Rating prediction: three trainers (biases, ALS, Bayesian factorization machine), each of which gives a rating table."""
