"""The name under which ``edge_agent.runners.onnx`` was known; gone as soon as nothing asks for it."""

from edge_agent.runners.onnx import OnnxRunner
from edge_agent.runners.runner import INPUT

__all__ = ["INPUT", "OnnxRunner"]
