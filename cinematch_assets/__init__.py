"""CineMatch assets: from a folder of movie ratings to validated tables, drift reports, a gated model and recommendations."""
