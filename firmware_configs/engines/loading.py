"""A plan becomes an engine, and an engine an execution context: the same for whoever runs it, and however.

TensorRT and TensorRT for RTX have one API. What differs: the latter compiles kernels for the shape it meets,
by default beside the work that already runs, and changes to them later. What has answered the golden inputs,
or was recorded, would not be what answers then; so it is asked to compile at once (NVIDIA, "Working with
dynamic shapes").
"""

from typing import Any

from firmware_configs.engines.library import Library, said
from firmware_configs.errors import EngineLoadError
from firmware_configs.profiles import Runtime


def load(library: Library, plan: bytes, listener: Any) -> tuple[Any, Any]:
    """Runtime and engine; the runtime is to outlive the engine. ``listener`` hears complaints.

    In the context that is current. EngineLoadError says what the library complained about.
    """
    try:
        runtime = library.module.Runtime(listener)
    except Exception as error:  # the bindings raise a null pointer as what they like
        raise EngineLoadError(f"{library.runtime} does not start: {said(listener)}") from error
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise EngineLoadError(f"{library.runtime} does not take the engine: {said(listener)}")
    return runtime, engine


def context(library: Library, engine: Any) -> Any:
    """What runs ``engine``; None where there is no memory for it."""
    if library.runtime is not Runtime.TENSORRT_RTX:
        return engine.create_execution_context()
    config = engine.create_runtime_config()
    strategies = library.module.DynamicShapesKernelSpecializationStrategy
    config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
    return engine.create_execution_context(config)
