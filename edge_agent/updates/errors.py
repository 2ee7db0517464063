"""Why an update does not go on, each by its own name."""

from edge_agent.errors import EdgeError


class UpdateError(EdgeError):
    """Base of what can stop an update."""


class RefusedError(UpdateError):
    """What is offered may not run on this device."""


class UntrustedError(RefusedError):
    """The signed metadata does not vouch for what is offered."""


class UnfitError(RefusedError):
    """The bundle is genuine, but made for something else than this device."""


class GoldenError(UpdateError):
    """On this device the model does not answer what it answered where it was made."""


class RetryError(UpdateError):
    """Something in the way that may go away: network, a hub that is down, metadata about to be renewed."""


class AbortedError(UpdateError):
    """A newer directive came meanwhile."""


class SlotError(UpdateError):
    """A slot does not hold the bytes that were put into it."""


class JournalError(UpdateError):
    """The journal cannot be written, so nothing may be done either."""
