"""Logs as one JSON object a line on stderr, for the journal and whoever collects it."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

LEVELS = ("debug", "info", "warning", "error")


def to_stderr(level: str, **always: str) -> None:
    """Log from ``level`` up; ``always`` stands in every line."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            lambda _logger, _method, event: {**always, **event},
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


@contextmanager
def errors_to_stderr(**always: str) -> Iterator[None]:
    """For a command that says itself what it found: meanwhile nothing else stands in its standard output."""
    before = structlog.get_config()
    to_stderr("error", **always)
    try:
        yield
    finally:
        structlog.configure(**before)
