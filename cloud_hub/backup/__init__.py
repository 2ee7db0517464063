"""A hub in a folder: made while it runs, checked before it is used, restored into an empty place alone."""
