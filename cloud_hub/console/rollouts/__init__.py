"""Rollouts: planned, previewed, started, watched, steered."""
