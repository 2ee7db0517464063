"""Failures a person running the hub can act on; each says what, why and what to do."""

from types import MappingProxyType


class HubError(Exception):
    """Base of every error the CLI and the console show as a sentence."""


class NotFoundError(HubError):
    """Nothing goes by this name; where a command lists what does, it is named."""

    LISTED = MappingProxyType(
        {
            "audit entry": "andon audit list",
            "dataset": "andon data list",
            "device": "andon device list",
            "release": "andon model list",
            "run": "andon model runs",
            "person": "andon hub person list",
            "rollout": "andon rollout list",
            "quarantined message": "andon data quarantine list",
        }
    )

    def __init__(self, kind: str, name: object) -> None:
        listed = self.LISTED.get(kind)
        super().__init__(
            f"no {kind} named {name!r}" + (f": `{listed}` shows those there are" if listed else "")
        )


class ConfigError(HubError):
    """The hub's configuration cannot be used as written."""


class UnreachableError(HubError):
    """A part the hub needs does not answer."""


class DatabaseAwayError(UnreachableError):
    """The database does not answer; it says where that is, which is for whoever runs the hub alone."""


class ConflictError(HubError):
    """What was asked contradicts what is already so."""


class GateError(HubError):
    """A candidate model is not good enough to become a release."""


class DatasetError(HubError):
    """The data cannot carry what is asked of it."""


class TrustError(HubError):
    """Keys or signatures are missing, expired or not what they should be."""


class BackupError(HubError):
    """A backup cannot be made whole, or is not one that can be restored here."""
