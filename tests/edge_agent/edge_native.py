"""TensorRT and PyCUDA as far as ``NativeRunner`` asks them, in memory: for what can be seen without a GPU.

Addresses are real ones of NumPy arrays, so that whoever writes to a wrong one is found out. What the real
libraries do is seen by the tests marked ``gpu``.
"""

import ctypes
from types import SimpleNamespace

import numpy as np
from edge_runners import answers

from firmware_configs.engines.library import Library
from firmware_configs.profiles import Runtime


class CudaError(Exception):
    """PyCUDA's base."""


class Driver:
    """``pycuda.driver``; counts what is held, and refuses what PyCUDA refuses."""

    Error = CudaError
    host_alloc_flags = SimpleNamespace(DEVICEMAP=2)

    def __init__(self):
        self.held = set()
        self.pushed = 0
        self.copies = 0
        self.fails = None  # on the next synchronisation
        self.full = None  # why the GPU has no memory
        self.pop_fails = None
        self.Context = SimpleNamespace(pop=self._pop)

    def init(self):
        """Finds its GPU."""

    def Device(self, place):  # noqa: N802 - PyCUDA's own name
        assert place == 0
        return SimpleNamespace(
            retain_primary_context=lambda: SimpleNamespace(push=self._push),
            name=lambda: "Twin 1",
            compute_capability=lambda: (8, 7),
        )

    def get_driver_version(self):
        return 13000

    def Stream(self, flags):  # noqa: N802 - PyCUDA's own name
        assert flags == 1, "one that waits for no other"
        return SimpleNamespace(handle=7, synchronize=self._synchronize)

    def pagelocked_empty(self, shape, dtype, mem_flags=0):
        memory = Memory(self, int(np.prod(shape)) * np.dtype(dtype).itemsize, mapped=mem_flags == 2)
        array = np.frombuffer(memory.bytes, dtype).reshape(shape).view(Held)
        array.memory = memory
        return array

    def mem_alloc(self, size):
        if self.full is not None:
            raise self.full
        return Memory(self, size, mapped=False)

    def memcpy_htod_async(self, address, source, stream):
        self._copy(address, source.ctypes.data, source.nbytes, stream)

    def memcpy_dtoh_async(self, target, address, stream):
        self._copy(target.ctypes.data, address, target.nbytes, stream)

    def current(self):
        assert self.pushed, "the context is not current on this thread"

    def _copy(self, target, source, size, stream):
        self.current()
        assert stream.handle == 7
        self.copies += 1
        ctypes.memmove(target, source, size)

    def _push(self):
        self.pushed += 1

    def _pop(self):
        self.pushed -= 1
        if self.pop_fails is not None:
            raise self.pop_fails

    def _synchronize(self):
        self.current()
        if self.fails is not None:
            raise self.fails


class Held(np.ndarray):
    """A page-locked array: its base is PyCUDA's allocation."""

    @property
    def base(self):
        return self.memory


class Memory:
    def __init__(self, driver, size, *, mapped):
        driver.current()
        self.bytes = bytearray(size)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.bytes))
        self._driver, self._mapped = driver, mapped
        driver.held.add(self)

    def get_device_pointer(self):
        assert self._mapped, "only mapped memory has an address on the GPU"
        return self.address

    def __int__(self):
        return self.address

    def free(self):
        self._driver.current()
        self._driver.held.remove(self)


class Context:
    def __init__(self, driver, complain):
        self.driver, self.complain = driver, complain
        self.addresses, self.rows, self.shaped = {}, 0, 0
        self.runs, self.takes, self.off_by_alone = True, 3, 0.0

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return len(self.addresses) <= self.takes

    def set_input_shape(self, name, shape):
        assert name == "features"
        self.rows, self.shaped = shape[0], self.shaped + 1
        return 1 <= shape[0] <= 64

    def execute_async_v3(self, handle):
        self.driver.current()
        assert handle == 7
        if not self.runs:
            self.complain("Error Code 1: Cuda Runtime (out of memory)")
            return False
        outputs = answers(self._read("features", 3)) + (self.off_by_alone if self.rows == 1 else 0)
        for column, name in enumerate(("remaining_life", "anomaly")):
            target = (ctypes.c_float * self.rows).from_address(self.addresses[name])
            np.frombuffer(target, np.float32)[:] = outputs[:, column]
        return True

    def _read(self, name, width):
        found = (ctypes.c_float * (self.rows * width)).from_address(self.addresses[name])
        return np.frombuffer(found, np.float32).reshape(self.rows, width)


NAMES = ("features", "remaining_life", "anomaly")


def library(
    driver,
    *,
    runtime=Runtime.TENSORRT,
    plan=b"plan",
    dtype="float32",
    context=True,
    takes=3,
    odd=b"",
    names=NAMES,
):
    """TensorRT with one engine, which ``plan`` is; ``library.module.made`` is its context.

    The engine that ``odd`` is answers single rows otherwise.
    """
    module = SimpleNamespace(made=None, loads=[])

    class Logger:
        Severity = SimpleNamespace(INTERNAL_ERROR=0, ERROR=1)

    class Engine:
        num_io_tensors = 3

        def __init__(self, off_by_alone):
            self.off_by_alone = off_by_alone

        def get_tensor_name(self, place):
            return names[place]

        def get_tensor_mode(self, name):
            return "input" if name == "features" else "output"

        def get_tensor_dtype(self, _):
            return dtype

        def get_tensor_shape(self, name):
            return (-1, 3) if name == "features" else (-1, 1)

        def get_tensor_profile_shape(self, name, place):
            assert (name, place) == ("features", 0)
            return [(1, 3), (8, 3), (64, 3)]

        def create_runtime_config(self):
            return SimpleNamespace(dynamic_shapes_kernel_specialization_strategy="lazy")

        def create_execution_context(self, config=None):
            module.config = config
            if context:
                module.made = Context(driver, lambda text: module.listener.log(1, text))
                module.made.takes = takes
                module.made.off_by_alone = self.off_by_alone
            return module.made

    class Loader:
        def __init__(self, listener):
            module.listener = listener

        def deserialize_cuda_engine(self, found):
            module.loads.append(found)
            if found in (plan, odd):
                return Engine(7.0 if found == odd else 0.0)
            module.listener.log(
                1,
                "The engine plan file is not compatible with this version of TensorRT, "
                "expecting library version 10.13 got 10.7, please rebuild.",
            )
            return None

    module.ILogger, module.Runtime = Logger, Loader
    module.TensorIOMode = SimpleNamespace(INPUT="input")
    module.DataType = SimpleNamespace(FLOAT="float32")
    module.DynamicShapesKernelSpecializationStrategy = SimpleNamespace(EAGER="eager")
    return Library(runtime=runtime, version="10.13.2.6", module=module)
