"""How far a training is, for whoever watches; the watcher may raise to cancel."""

from collections.abc import Callable

Progress = Callable[[str, float], None]  # stage, share of it done


def silent(stage: str, share: float) -> None:
    """Progress that nobody watches."""
