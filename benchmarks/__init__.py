"""Side by side with peers: one command, one table, ratios of one run."""
