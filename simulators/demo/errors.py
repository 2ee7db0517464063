"""Why a demonstration could not go on."""

from simulators.errors import SimulatorError


class DemoError(SimulatorError):
    """Something the story needs did not happen; the message says what and where to look."""
