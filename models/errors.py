"""What a use case or a network refuses; each error says what was expected and what came."""


class ModelError(Exception):
    """Base of everything this package raises on purpose."""


class UseCaseError(ModelError):
    """A use case is unknown, or its file cannot be used as written."""


class FitError(ModelError):
    """A network cannot be trained on these examples."""


class GraphError(ModelError):
    """An ONNX graph is not one a device may be given."""
