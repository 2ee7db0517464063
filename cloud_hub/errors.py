"""Failures a person running the hub can act on; each says what, why and what to do."""


class HubError(Exception):
    """Base of every error the CLI and the console show as a sentence."""


class NotFoundError(HubError):
    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"no {kind} named {name!r}")


class ConfigError(HubError):
    """The hub's configuration cannot be used as written."""


class UnreachableError(HubError):
    """A part the hub needs does not answer."""


class ConflictError(HubError):
    """What was asked contradicts what is already so."""


class GateError(HubError):
    """A candidate model is not good enough to become a release."""


class DatasetError(HubError):
    """The data cannot carry what is asked of it."""


class TrustError(HubError):
    """Keys or signatures are missing, expired or not what they should be."""
