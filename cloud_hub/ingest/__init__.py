"""From the broker into the store, exactly once, by the commit protocol."""
