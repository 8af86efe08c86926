"""From a folder of movie ratings to validated tables, drift reports, a gated model and recommendations."""
