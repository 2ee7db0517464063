"""Failures a person at the device can act on; each says what, why and what to do."""


class EdgeError(Exception):
    """Base of every error the command line shows as a sentence."""


class ConfigError(EdgeError):
    """The configuration file cannot be used as written."""


class IdentityError(EdgeError):
    """The device has no identity, or one that does not fit its configuration."""


class AlreadyRunningError(EdgeError):
    """Another agent holds this state directory."""


class OutboxError(EdgeError):
    """The outbox on disk cannot be used."""


class OutboxFullError(OutboxError):
    """The outbox has reached its budget and may drop nothing more."""


class FeedLostError(EdgeError):
    """The source of signals went away, or stopped making sense."""


class InferenceError(EdgeError):
    """A network cannot be loaded or run."""


class FeatureMismatchError(InferenceError):
    """A network takes other features than this machine gives."""


class NotFiniteError(InferenceError):
    """A network answered with NaN or infinity, or would have been asked it."""


class SelfTestError(EdgeError):
    """Something installed here does not work as it must."""
