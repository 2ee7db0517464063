"""From stored rows and labels to immutable, hashed datasets."""
