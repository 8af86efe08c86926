-- The statistics of the four tables that change most, whichever user signs in.
SELECT ops.analyze_tables()
