"""What can be wrong with a part; each message says what to do about it."""

from cloud_hub.errors import HubError


class PartError(HubError):
    """A part cannot be started, or stopped answering."""


class AlreadyRunningError(PartError):
    """Another process holds this state directory."""
