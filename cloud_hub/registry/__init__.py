"""Versions of models: what was made, from what, how it was judged, who approved it."""
