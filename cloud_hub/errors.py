"""Failures a person running the hub can act on; each says what and why."""


class HubError(Exception):
    """Base of every error the CLI and the console show as a sentence."""


class NotFoundError(HubError):
    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"no {kind} named {name!r}")
