-- How many ratings wait for a retraining; 0 after one that merged or deleted them.
SELECT COUNT(*) FROM ratings_buffer
