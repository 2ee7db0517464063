"""What models learn from, what could not be stored, what is kept."""
