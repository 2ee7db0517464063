"""Giving a stripped engine its weights: those of the network whose shape it was compiled from.

A retrained network of the same shape needs no new build. NVIDIA's notes on TensorRT 11.3 know of refittable
engines that drop a bias, so an engine that was refitted is worth what its golden inputs say, and no more.
"""

from typing import Any

from firmware_configs.engines.library import Library, listen, said
from firmware_configs.engines.loading import load
from firmware_configs.errors import EngineBuildError


def refit(library: Library, engine: Any, onnx: bytes) -> None:
    """Put the weights of ``onnx`` into ``engine``, deserialised and not in use; or EngineBuildError."""
    trt, listener = library.module, listen(library)
    try:
        refitter = trt.Refitter(engine, listener)
    except Exception as error:  # a null pointer, which the bindings raise as what they like
        raise EngineBuildError(f"the engine takes no weights: {said(listener)}") from error
    parser = trt.OnnxParserRefitter(refitter, listener)
    if not parser.refit_from_bytes(onnx):
        found = [parser.get_error(place) for place in range(parser.num_errors)]
        told = "; ".join(
            f"{error.node_operator()} at node {error.node_name()}: {error.desc()}" for error in found
        )
        raise EngineBuildError(f"the weights of the network do not fit the engine: {told or said(listener)}")
    if missing := refitter.get_missing_weights():
        raise EngineBuildError(
            f"expected weights for all of the engine, got none for {', '.join(missing)[:300]}"
        )
    if not refitter.refit_cuda_engine():
        raise EngineBuildError(f"the engine does not take its weights: {said(listener)}")


def refitted(library: Library, plan: bytes, onnx: bytes) -> bytes:
    """The stripped ``plan`` with the weights of ``onnx`` in it, for good; on a GPU. EngineBuildError."""
    trt, listener = library.module, listen(library)
    _runtime, engine = load(library, plan, listener)
    refit(library, engine, onnx)
    config = engine.create_serialization_config()
    config.clear_flag(trt.SerializationFlag.EXCLUDE_WEIGHTS)
    whole = engine.serialize_with_config(config)
    if whole is None:
        raise EngineBuildError(f"the engine with its weights cannot be written: {said(listener)}")
    return bytes(whole)
