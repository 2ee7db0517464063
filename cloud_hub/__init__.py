"""The hub: one folder per stage of the loop."""
