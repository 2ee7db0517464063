"""What the hub works on, and who decided what."""
