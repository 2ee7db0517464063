"""What a kernel refuses to compute with; each error carries what was expected and what came."""


class KernelError(Exception):
    """Base of everything this package raises on purpose."""


class KernelInputError(KernelError):
    """A signal, a window or a setting cannot be used.

    The caller turns a bad window into a gap with this text as its reason; the
    state of an extractor is unchanged.
    """

    def __init__(self, name: str, value: object, expectation: str) -> None:
        super().__init__(f"{name}: expected {expectation}, got {value}")
        self.name = name
        self.value = value
        self.expectation = expectation


class KernelStateError(KernelError):
    """Stored state belongs to another extractor, or is damaged."""


class UnknownFeatureSetError(KernelError):
    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"expected a feature set out of {', '.join(known)}, got {name!r}")
        self.name = name


class TwinError(KernelError):
    """Compiled kernels disagree with the reference on this very machine."""
