"""Which machine needs somebody first, at which site."""
