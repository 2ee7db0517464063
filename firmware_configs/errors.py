"""What can be wrong with the description of a host."""


class HostError(Exception):
    """Base of what this package raises for people."""


class ProfileError(HostError):
    """A device profile is unknown, or cannot be used as written."""


class TemplateError(HostError):
    """A template and its values do not fit together."""


class WindowError(HostError):
    """A maintenance window cannot be read, or never opens."""


class EngineLibraryError(HostError):
    """The library that builds or runs engines is missing, too old, or finds no GPU to work with."""


class EngineBuildError(HostError):
    """A network cannot be compiled, or an engine cannot be given its weights."""


class EngineLoadError(EngineBuildError):
    """An engine cannot be loaded here: it is for another GPU or library, or none at all."""
