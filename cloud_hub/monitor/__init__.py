"""Whether the world is still the one a release was learnt in, and what to do when it is not."""
