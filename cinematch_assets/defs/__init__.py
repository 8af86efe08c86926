"""What exists: a file an asset, each in the folder of its group, and what starts them."""
