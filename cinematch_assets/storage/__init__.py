"""Objects by key, in a folder or a bucket, and files that are written atomically."""
