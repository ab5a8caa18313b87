"""A run: the loop over blocks, its schedule, its progress and its directory."""
