-- Ten counts, 0.5 first.
SELECT counts FROM ops.drift_baseline
