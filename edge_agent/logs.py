"""Logs as one JSON object a line on stderr, for the journal and whoever collects it."""

import logging
import sys

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
