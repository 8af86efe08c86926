-- The statistics of the four tables that change most, by whoever signs in.
SELECT ops.analyze_tables()
