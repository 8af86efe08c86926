"""Data to try the platform on: real sets fetched at run time, synthetic ones with a known truth, the next batch."""
