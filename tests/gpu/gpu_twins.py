"""CUDA's driver, a kernel and an engine in this process's memory: they keep CUDA's rules, and compute for real.

A device address is an address here; work on a stream is done at once, or recorded while the stream records.
What CUDA forbids while recording breaks the recording here too, and whatever is not given back is known.
"""

import ctypes
from types import SimpleNamespace

import numpy as np
import onnxruntime
from cuda.bindings import driver as real

from kernels import layout, reference
from kernels.vibration import SPECTRUM_LINES

OK, CAPTURING = real.CUresult.CUDA_SUCCESS, real.CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED
CONTEXT = 1  # a handle
BROKEN = real.CUresult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED


class Driver:
    """As much of ``cuda.bindings.driver`` as a recorded window asks for. ``failing``: answers by call."""

    CUresult, CUstream_flags, CUstreamCaptureMode = (
        real.CUresult,
        real.CUstream_flags,
        real.CUstreamCaptureMode,
    )
    CUdevice_attribute = real.CUdevice_attribute
    CU_MEMHOSTALLOC_DEVICEMAP = real.CU_MEMHOSTALLOC_DEVICEMAP

    def __init__(self):
        self.calls, self.asked, self.held, self.failing = [], {}, {}, {}
        self._recording, self._whole, self._next = None, True, 1

    def __getattribute__(self, name):
        if name.startswith("cu") and name in type(self).__dict__:
            return lambda *arguments: self._answer(name, *arguments)
        return super().__getattribute__(name)

    def _answer(self, name, *arguments):
        self.calls.append(name)
        self.asked[name] = arguments
        if name in self.failing:
            return (self.failing[name],)
        return type(self).__dict__[name](self, *arguments)

    def put(self, work):
        """What a launch on the stream does."""
        if self._recording is None:
            work()
        else:
            self._recording.append(work)

    def _forbidden(self):
        """Whether the stream records; then it does so in vain."""
        self._whole = self._whole and self._recording is None
        return self._recording is not None

    def _hold(self, kind, value):
        self._next += 1
        self.held[self._next] = (kind, value)
        return self._next

    def _allocate(self, kind, size):
        memory = (ctypes.c_uint8 * (size + 256))()
        address = -(-ctypes.addressof(memory) // 256) * 256
        self.held[address] = (kind, memory)
        return OK, address

    def _drop(self, handle):
        del self.held[handle]
        return (OK,)

    def cuInit(self, flags):  # noqa: N802 - CUDA's names
        return (OK,)

    def cuDeviceGet(self, place):  # noqa: N802
        return OK, place

    def cuDevicePrimaryCtxRetain(self, device):  # noqa: N802
        self.held[CONTEXT] = ("context", device)
        return OK, CONTEXT

    def cuDevicePrimaryCtxRelease(self, device):  # noqa: N802
        return self._drop(CONTEXT)

    def cuDeviceGetAttribute(self, attribute, device):  # noqa: N802
        return OK, 0

    def cuCtxSetCurrent(self, context):  # noqa: N802
        return (OK,)

    def cuStreamCreate(self, flags):  # noqa: N802
        return OK, self._hold("stream", flags)

    def cuStreamDestroy(self, stream):  # noqa: N802
        return self._drop(stream)

    def cuStreamSynchronize(self, stream):  # noqa: N802
        return (CAPTURING,) if self._forbidden() else (OK,)

    def cuCtxSynchronize(self):  # noqa: N802
        return self.cuStreamSynchronize(0)

    def cuMemHostAlloc(self, size, flags):  # noqa: N802
        return (CAPTURING,) if self._forbidden() else self._allocate("host memory", size)

    def cuMemAlloc(self, size):  # noqa: N802
        return (CAPTURING,) if self._forbidden() else self._allocate("device memory", size)

    def cuMemHostGetDevicePointer(self, address, flags):  # noqa: N802
        return OK, address

    def cuMemFree(self, address):  # noqa: N802
        return self._drop(address)

    def cuMemFreeHost(self, address):  # noqa: N802
        return self._drop(address)

    def cuMemcpyHtoDAsync(self, target, source, size, stream):  # noqa: N802
        self.put(lambda: ctypes.memmove(target, source, size))
        return (OK,)

    def cuMemcpyDtoHAsync(self, target, source, size, stream):  # noqa: N802
        self.put(lambda: ctypes.memmove(target, source, size))
        return (OK,)

    def cuStreamBeginCapture(self, stream, mode):  # noqa: N802
        self._recording, self._whole = [], True
        return (OK,)

    def cuStreamEndCapture(self, stream):  # noqa: N802
        recorded, self._recording = self._recording, None
        return (OK, self._hold("graph", recorded)) if self._whole else (BROKEN, 0)

    def cuGraphInstantiate(self, graph, flags):  # noqa: N802
        return OK, self._hold("executable graph", self.held[graph][1])

    def cuGraphDestroy(self, graph):  # noqa: N802
        return self._drop(graph)

    def cuGraphExecDestroy(self, executable):  # noqa: N802
        return self._drop(executable)

    def cuGraphLaunch(self, executable, stream):  # noqa: N802
        for work in self.held[executable][1]:
            work()
        return (OK,)

    def cuGetErrorString(self, status):  # noqa: N802
        return OK, b"so says the twin"


class Kernel:
    """The reference at given addresses, for the ranges of bins that lie at another."""

    def __init__(self, driver, extractor, length):
        self._driver, self._extractor = driver, extractor
        self._shape = (len(extractor.waveforms), length)
        self.lines = 0 if extractor.speed is None else len(SPECTRUM_LINES) + len(extractor.orders)

    def ranges(self, speed_hz):
        if speed_hz is None:
            return np.empty((0, 2), np.int32)
        length, rate_hz = self._shape[1], self._extractor.waveforms[0].rate_hz
        lines = self._extractor.orders * abs(speed_hz)
        near, far = (
            layout.line_bins(wanted, rate_hz=rate_hz, length=length, bins=bins)
            for wanted, bins in ((lines[:2], length // 2 + 1), (lines, layout.envelope_bins(length)))
        )
        return np.concatenate([near, far]).astype(np.int32)

    def put(self, *, windows, ranges, rows, stream):
        assert stream, "kernels are not put on the default stream"
        self._driver.put(lambda: self._compute(windows, ranges, rows))

    def _compute(self, windows, ranges, rows):
        length = self._shape[1]
        centred = reference.centre(floats(windows, self._shape))
        spectra = reference.spectrum(centred)
        found = [reference.statistics(centred)]
        found.append(reference.spectral(spectra, length, self._extractor.waveforms[0].rate_hz))
        if self.lines:
            places = integers(ranges, (self.lines, 2))
            found.append(reference.lines(spectra, length, places[:2]))
            found.append(reference.lines(reference.envelope(spectra, length), length // 4, places[2:]))
        features = np.concatenate(found, axis=1)
        floats(rows, features.shape)[:] = features


class Engine:
    """An ONNX network behind the names of TensorRT's engine and its execution context."""

    def __init__(self, driver, trt, onnx, *, recordable=True):
        self._driver, self._trt, self._recordable = driver, trt, recordable
        self._session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
        self._inputs, self._outputs = self._session.get_inputs(), self._session.get_outputs()
        self._addresses, self._rows = {}, -1
        self.num_io_tensors = len(self._inputs) + len(self._outputs)

    def get_tensor_name(self, place):
        return [*self._inputs, *self._outputs][place].name

    def get_tensor_mode(self, name):
        modes = self._trt.TensorIOMode
        return modes.INPUT if name == self._inputs[0].name else modes.OUTPUT

    def get_tensor_dtype(self, name):
        return self._trt.DataType.FLOAT

    def get_tensor_shape(self, name):
        (found,) = [item for item in (*self._inputs, *self._outputs) if item.name == name]
        return (self._rows, found.shape[1])

    def create_runtime_config(self):
        return SimpleNamespace()

    def create_execution_context(self, config):
        lazy = self._trt.DynamicShapesKernelSpecializationStrategy.LAZY
        assert config.dynamic_shapes_kernel_specialization_strategy is not lazy
        return self

    def set_input_shape(self, name, shape):
        self._rows = shape[0]
        return True

    def infer_shapes(self):
        return []

    def set_tensor_address(self, name, address):
        self._addresses[name] = address
        return True

    def is_stream_capturable(self, stream):
        return self._recordable

    def execute_async_v3(self, stream):
        self._driver.put(self._compute)
        return True

    def _compute(self):
        name, width = self._inputs[0].name, self._inputs[0].shape[1]
        answers = self._session.run(None, {name: floats(self._addresses[name], (1, width)).copy()})
        for output, answer in zip(self._outputs, answers, strict=True):
            floats(self._addresses[output.name], answer.shape)[:] = answer


def floats(address, shape):
    return np.ctypeslib.as_array((ctypes.c_float * int(np.prod(shape))).from_address(address)).reshape(shape)


def integers(address, shape):
    return np.ctypeslib.as_array((ctypes.c_int32 * int(np.prod(shape))).from_address(address)).reshape(shape)
