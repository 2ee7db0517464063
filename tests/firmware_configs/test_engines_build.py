"""What compiles engines says what it lacks and what it cannot compile; plans are built here without a GPU."""

import ctypes
import subprocess
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from firmware_configs.engines import gpu, library
from firmware_configs.engines.build import LARGEST, SMALLEST, build, workspace_bytes
from firmware_configs.engines.execute import Execution
from firmware_configs.engines.library import Library, check_gpu, check_version, find
from firmware_configs.engines.refit import refitted
from firmware_configs.errors import EngineBuildError, EngineLibraryError
from firmware_configs.profiles import Runtime, profile

pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX is not installed: pip install tensorrt-rtx")

SIZES = {"compute_capabilities": ("8.6", "8.9", "12.0"), "workspace_bytes": 64 << 20}


@pytest.fixture(scope="module")
def rtx() -> Library:
    return find(Runtime.TENSORRT_RTX)


def graph(*nodes: onnx.NodeProto, rows: int | str = "n", width: int | str = 4) -> bytes:
    weights = numpy_helper.from_array(np.ones((1, 4), np.float32), "w")
    made = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [rows, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [weights],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    payload: bytes = helper.make_model(made, opset_imports=opsets, ir_version=8).SerializeToString()
    return payload


def plain(**border: int | str) -> bytes:
    return graph(helper.make_node("Gemm", ["features", "w"], ["y"], name="product", transB=1), **border)


def test_plan_is_built_for_gpus_that_are_not_here(rtx: Library) -> None:
    built = build(rtx, plain(), **SIZES)
    assert len(built.plan) > 1000
    assert built.seconds > 0
    assert built.timing_cache == b""  # TensorRT for RTX measures nothing ahead of time


@pytest.mark.parametrize("strange", [("Scaler", "ai.onnx.ml"), ("NoSuchThing", "")])
def test_operator_that_no_gpu_runs_is_named_with_its_node(strange: tuple[str, str], rtx: Library) -> None:
    kind, domain = strange
    node = helper.make_node(kind, ["features"], ["y"], name="the-one", domain=domain)
    with pytest.raises(
        EngineBuildError, match=rf"cannot read the network: operator {kind} at node 'the-one'"
    ):
        build(rtx, graph(node), **SIZES)


def test_what_a_gpu_cannot_compute_is_named_too(rtx: Library) -> None:
    with pytest.raises(EngineBuildError, match=r"'product' for Turing \(SM75\): FP32 GEMM is not supported"):
        build(rtx, plain(), compute_capabilities=("7.5",), workspace_bytes=64 << 20)


@pytest.mark.parametrize(
    ("border", "told"), [({"width": "m"}, r"\[-1, -1\]"), ({"rows": 1}, r"\[1, 4\]")], ids=["width", "rows"]
)
def test_input_that_is_no_rows_of_a_known_width_is_named(
    border: dict[str, int | str], told: str, rtx: Library
) -> None:
    with pytest.raises(EngineBuildError, match=f"rows of a known width, got input features of {told}"):
        build(rtx, plain(**border), **SIZES)


def test_library_that_makes_no_builder_says_so(rtx: Library) -> None:
    class Silent(ModuleType):
        ILogger = rtx.module.ILogger

        @staticmethod
        def Builder(logger: object) -> object:  # noqa: N802 - as TensorRT calls it
            raise TypeError("pybind11::init(): factory function returned nullptr")

    with pytest.raises(EngineBuildError, match="makes no builder here: it does not say why"):
        build(replace(rtx, module=Silent("silent")), plain(), **SIZES)


def test_bytes_that_are_no_network_are_refused(rtx: Library) -> None:
    with pytest.raises(EngineBuildError, match=r"cannot read the network: .*Failed to parse the ONNX model"):
        build(rtx, b"no network", **SIZES)


def test_compute_capability_that_it_does_not_compile_for_is_named_with_those_it_does(rtx: Library) -> None:
    with pytest.raises(EngineBuildError, match=r"out of SM75, .*SM86.*, got SM90: .* compiles for no other"):
        build(rtx, plain(), compute_capabilities=("9.0",), workspace_bytes=64 << 20)


def test_tensorrt_is_asked_for_its_own_gpu_alone(rtx: Library) -> None:
    with pytest.raises(EngineBuildError, match=r"no compute capabilities for tensorrt, got 8\.6"):
        build(
            replace(rtx, runtime=Runtime.TENSORRT), plain(), compute_capabilities=("8.6",), workspace_bytes=1
        )


def test_library_that_is_not_here_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(library.MODULES, Runtime.TENSORRT, "tensorrt_that_is_nowhere")
    with pytest.raises(
        EngineLibraryError, match=r"cannot be imported: .*; on a Jetson it comes with JetPack"
    ):
        find(Runtime.TENSORRT)


def test_runtime_that_compiles_nothing_is_refused() -> None:
    with pytest.raises(EngineLibraryError, match="expected a runtime that compiles, got onnxruntime"):
        find(Runtime.ONNXRUNTIME)


@pytest.mark.parametrize(
    ("runtime", "version", "fits"),
    [
        (Runtime.TENSORRT, "8.6.1", False),
        (Runtime.TENSORRT, "10.13.2.6", True),
        (Runtime.TENSORRT, "11.4.0", True),
        (Runtime.TENSORRT_RTX, "1.1.1", False),
        (Runtime.TENSORRT_RTX, "1.7.1.116", True),
    ],
)
def test_library_that_is_too_old_is_refused_with_both_versions(
    runtime: Runtime, version: str, *, fits: bool
) -> None:
    asked = Library(runtime=runtime, version=version, module=ModuleType("x"))
    if fits:
        check_version(asked)
    else:
        with pytest.raises(EngineLibraryError, match=rf"expected tensorrt.* or newer, got {version}"):
            check_version(asked)


def test_host_without_a_driver_says_so(rtx: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(name: str) -> ctypes.CDLL:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", nowhere)
    with pytest.raises(
        EngineLibraryError, match="expected a GPU that CUDA's driver answers for, got no driver"
    ):
        check_gpu(rtx)
    with pytest.raises(EngineLibraryError, match=r"expected CUDA's driver, got none \(libcuda\.so\.1"):
        gpu.Driver()


@pytest.mark.parametrize(("found", "fits"), [("8.6", True), ("12.0", True), ("9.0", False), ("8.7", False)])
def test_gpu_that_tensorrt_for_rtx_compiles_nothing_for_is_named(
    rtx: Library, monkeypatch: pytest.MonkeyPatch, found: str, *, fits: bool
) -> None:
    monkeypatch.setattr(library, "_devices", lambda: (0, 1))
    monkeypatch.setattr(library, "_compute_capability", lambda: found)
    asked = loads(rtx, None)
    asked.module.ComputeCapability = rtx.module.ComputeCapability
    if fits:
        check_gpu(asked)
    else:
        with pytest.raises(
            EngineLibraryError, match=rf"out of SM75, .*SM86.* for tensorrt-rtx .*, got one of .* {found}:"
        ):
            check_gpu(asked)


@pytest.mark.parametrize(
    ("device", "size"), [("orin-nano", 512 << 20), ("agx-thor", LARGEST), ("generic", SMALLEST)]
)
def test_builder_takes_a_sixteenth_of_the_memory_within_bounds(device: str, size: int) -> None:
    assert workspace_bytes(profile(device)) == size


LOGGERS_GO = """
import ctypes
import gc
from firmware_configs.engines.library import find, listen
from firmware_configs.profiles import Runtime
library = find(Runtime.TENSORRT_RTX)
made = [library.module.Builder(listen(library)) for _ in range(2)]
del made[0]  # as an engine that goes while another one stays
gc.collect()
memory = ctypes.CDLL(None).malloc  # what was freed is given to others, who write to it
memory.argtypes, memory.restype = [ctypes.c_size_t], ctypes.c_void_p
for _ in range(500):
    ctypes.memset(memory(16), 0x55, 16)
print(library.module.get_plugin_registry().get_creator("nobody's", "1", ""))
"""


def test_library_that_complains_of_what_is_nobodys_does_so_to_a_logger_that_is_still_there() -> None:
    """It tells the logger that came first, whoever has gone meanwhile, and would take the agent with it."""
    done = subprocess.run([sys.executable, "-c", LOGGERS_GO], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr


class Engine:
    """With features [n, 4] and y [n, 1], as far as ``Execution`` asks before it runs."""

    num_io_tensors = 2
    context = SimpleNamespace(set_tensor_address=lambda name, address: True)

    def __init__(self) -> None:
        self.asked: Any = None

    def get_tensor_name(self, place: int) -> str:
        return ("features", "y")[place]

    def get_tensor_mode(self, name: str) -> str:
        return "input" if name == "features" else "output"

    def get_tensor_shape(self, name: str) -> tuple[int, int]:
        return (-1, 4) if name == "features" else (-1, 1)

    def create_runtime_config(self) -> Any:
        return SimpleNamespace(dynamic_shapes_kernel_specialization_strategy="lazy")

    def create_execution_context(self, config: Any = None) -> Any:
        self.asked = config
        return self.context


class Little:
    """A driver of a GPU that has room for so many tensors; ``held`` is what nobody has given back."""

    def __init__(self, room: int) -> None:
        self.held, self._room = set[str](), room

    def stream(self) -> int:
        self.held.add("stream")
        return 7

    def drop(self, stream: int) -> None:
        self.held.remove("stream")

    def allocate(self, size: int) -> int:
        if len(self.held) > self._room:
            raise EngineLibraryError("CUDA's driver refuses cuMemAlloc_v2: out of memory")
        self.held.add(str(len(self.held)))
        return len(self.held) - 1

    def free(self, address: int) -> None:
        self.held.remove(str(address))


def loads(rtx: Library, engine: Engine | None) -> Library:
    module: Any = ModuleType("of one engine")
    module.ILogger = rtx.module.ILogger
    module.Runtime = lambda _: SimpleNamespace(deserialize_cuda_engine=lambda plan: engine)
    module.TensorIOMode = SimpleNamespace(INPUT="input")
    module.DynamicShapesKernelSpecializationStrategy = SimpleNamespace(EAGER="eager")
    return replace(rtx, module=module)


def test_what_is_heard_is_loaded_as_on_a_device(rtx: Library) -> None:
    engine, driver = Engine(), Little(room=2)
    with Execution(loads(rtx, engine), b"plan", cast(gpu.Driver, driver)):
        assert engine.asked.dynamic_shapes_kernel_specialization_strategy == "eager"
        assert len(driver.held) == 3
    assert not driver.held


@pytest.mark.parametrize(
    ("engine", "room", "told"),
    [(Engine(), 1, "out of memory"), (Engine(), 0, "out of memory"), (None, 2, "does not take the engine")],
)
def test_an_engine_that_cannot_be_heard_gives_back_what_it_took(
    rtx: Library, engine: Engine | None, room: int, told: str
) -> None:
    driver = Little(room)
    with pytest.raises((EngineBuildError, EngineLibraryError), match=told):
        Execution(loads(rtx, engine), b"plan", cast(gpu.Driver, driver))
    assert not driver.held


class Stripped:
    """An engine without weights, of a library that takes them, or not, and writes the whole, or not."""

    def __init__(self, whole: bytes | None) -> None:
        self._whole = whole

    def create_serialization_config(self) -> Any:
        return SimpleNamespace(clear_flag=lambda flag: True)

    def serialize_with_config(self, config: Any) -> bytes | None:
        return self._whole


def refits(rtx: Library, engine: Stripped | None, *, takes: bool = True) -> Library:
    def refitter(engine: Any, listener: Any) -> Any:
        if not takes:
            raise TypeError("pybind11::init(): factory function returned nullptr")
        return SimpleNamespace(get_missing_weights=list, refit_cuda_engine=lambda: True)

    module: Any = ModuleType("of one engine without weights")
    module.ILogger = rtx.module.ILogger
    module.Runtime = lambda _: SimpleNamespace(deserialize_cuda_engine=lambda plan: engine)
    module.Refitter = refitter
    module.OnnxParserRefitter = lambda *_: SimpleNamespace(refit_from_bytes=lambda onnx: True)
    module.SerializationFlag = rtx.module.SerializationFlag
    return replace(rtx, module=module)


def test_weights_come_back_into_a_stripped_engine(rtx: Library) -> None:
    assert refitted(refits(rtx, Stripped(b"whole")), b"plan", plain()) == b"whole"


@pytest.mark.parametrize(
    ("engine", "takes", "told"),
    [
        (None, True, "does not take the engine"),
        (Stripped(b"whole"), False, "the engine takes no weights"),
        (Stripped(None), True, "cannot be written"),
    ],
)
def test_a_stripped_engine_that_cannot_be_made_whole_says_where_it_ended(
    rtx: Library, engine: Stripped | None, takes: bool, told: str
) -> None:
    with pytest.raises(EngineBuildError, match=f"{told}: it does not say why"):
        refitted(refits(rtx, engine, takes=takes), b"plan", plain())


def driver_here() -> gpu.Driver:
    """Skips, with what the driver says, where there is no GPU of TensorRT for RTX."""
    try:
        check_gpu(find(Runtime.TENSORRT_RTX))
        return gpu.Driver()
    except EngineLibraryError as error:
        pytest.skip(str(error))


@pytest.mark.gpu
def test_what_a_plan_answers_on_the_gpu_is_what_the_network_says(rtx: Library) -> None:
    driver = driver_here()
    rows = np.arange(24, dtype=np.float32).reshape(6, 4)
    built = build(rtx, plain(), workspace_bytes=64 << 20)
    with Execution(rtx, built.plan, driver) as execution:
        assert execution.outputs == ("y",)
        np.testing.assert_allclose(execution.run(rows), rows.sum(axis=1, keepdims=True), rtol=1e-6)
        np.testing.assert_allclose(execution.run(rows[:1]), rows[:1].sum(axis=1, keepdims=True), rtol=1e-6)
