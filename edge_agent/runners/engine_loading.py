"""``firmware_configs.engines.loading`` for the runners, with errors of theirs."""

from typing import Any

from edge_agent.runners.errors import named
from firmware_configs.engines import loading
from firmware_configs.engines.library import Library
from firmware_configs.engines.loading import context
from firmware_configs.errors import EngineLoadError

__all__ = ["context", "load"]


def load(library: Library, plan: bytes, listener: Any) -> tuple[Any, Any]:
    """As there. Raises ``InferenceError``, by its own name where the engine is foreign."""
    try:
        return loading.load(library, plan, listener)
    except EngineLoadError as error:
        raise named(str(error)) from error
