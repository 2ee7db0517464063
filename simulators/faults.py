"""Faults to throw at the factory: a model that is valid, loads, runs and is wrong.

Signature, schema and golden inputs cannot catch it, for it is exactly what its
maker signed; only running it beside the old one on real data can. That is what
probation on the device is for, and what this proves.
"""

from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from simulators.errors import SettingError


class Spoiling(StrEnum):
    RANGE = "range"  # far outside of what the output may be
    INVERTED = "inverted"  # plausible numbers that fall where they should rise


def spoil_model(model: Path, out: Path, *, seed: int, how: Spoiling, output: str = "") -> str:
    """Write a spoiled copy of the ONNX file ``model`` to ``out``; returns what was done to it.

    ``output`` is the graph output to spoil; empty: ``remaining_life``, or else the first.
    """
    onnx = _onnx()
    try:
        graph_of = onnx.load(str(model))
        onnx.checker.check_model(graph_of)
    except (OSError, ValueError, onnx.checker.ValidationError, DecodeError) as error:
        raise SettingError(f"expected an ONNX model in {model}, got: {_line(error)}") from error
    name = _output_name([value.name for value in graph_of.graph.output], output, model)
    scale, offset = _draw(seed, how)
    _bend(onnx, graph_of.graph, name, scale, offset)
    onnx.checker.check_model(graph_of)
    try:
        onnx.save(graph_of, str(out))
    except OSError as error:
        raise SettingError(f"cannot write {out}: {error}") from error
    return f"{name} is now {scale:.3f} * {name} {offset:+.1f}"


def _draw(seed: int, how: Spoiling) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    if how is Spoiling.INVERTED:
        return -1.0, float(rng.uniform(300, 900))
    return float(-rng.uniform(20, 60)), float(rng.uniform(20_000, 80_000))


def _bend(onnx: Any, graph: Any, name: str, scale: float, offset: float) -> None:
    """Insert ``scale * x + offset`` before the output ``name``, which keeps its name and type."""
    honest = f"{name}_before_spoiling"
    for node in graph.node:
        node.output[:] = [honest if made == name else made for made in node.output]
        node.input[:] = [honest if used == name else used for used in node.input]
    kind = next(value.type.tensor_type.elem_type for value in graph.output if value.name == name)
    for constant, value in ((f"{name}_spoil_scale", scale), (f"{name}_spoil_offset", offset)):
        graph.initializer.append(onnx.helper.make_tensor(constant, kind, [], [value]))
    graph.node.append(onnx.helper.make_node("Mul", [honest, f"{name}_spoil_scale"], [f"{name}_bent"]))
    graph.node.append(onnx.helper.make_node("Add", [f"{name}_bent", f"{name}_spoil_offset"], [name]))


def _output_name(names: list[str], wanted: str, model: Path) -> str:
    if wanted and wanted not in names:
        raise SettingError(f"{model}: expected an output {wanted!r}, got {', '.join(names)}")
    return wanted or ("remaining_life" if "remaining_life" in names else names[0])


def _onnx() -> Any:
    try:
        import onnx  # noqa: PLC0415 - heavy, and needed by this command only
        import onnx.checker  # noqa: PLC0415
        import onnx.helper  # noqa: PLC0415
    except ImportError as error:
        raise SettingError("spoiling a model needs onnx: pip install 'andon[hub]'") from error
    return onnx


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
