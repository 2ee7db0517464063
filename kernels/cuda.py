"""The window kernels on a GPU: all features of a window in one launch. The same features as on a CPU.

``features`` is the twin of ``cpu.features``. ``FusedWindows`` is for those who launch again and again:
it keeps tables and memory, and can write into memory of others, such as an engine's input.
"""

from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import cuda, float32, int32, int64, uint64
from numpy.typing import ArrayLike, NDArray

from kernels import cuda_fused, layout, reference
from kernels.cuda_device import allow_shared, find_device
from kernels.cuda_errors import named
from kernels.cuda_plan import Plan, make_plan
from kernels.errors import KernelInputError, TwinError
from kernels.vibration import SPECTRUM_LINES

__all__ = ["FusedWindows", "features", "warm"]

Rows = NDArray[np.float32]

_ROWS, _PAIRS, _FLAT = float32[:, ::1], uint64[:, ::1], float32[::1]
_TAIL = (int32[:, ::1], int64, int64, float32, _FLAT, int64, int64)  # from ranges to stride, see cuda_fused
FAST = (_PAIRS, _ROWS, *_TAIL)
PLAIN = (_ROWS, _ROWS, _ROWS, *_TAIL)
MOST_ACROSS = 65_535  # blocks along the second side of a grid


def features(windows: Rows, rate_hz: float, near: ArrayLike, far: ArrayLike) -> Rows:
    """See ``reference.features``."""
    windows = np.ascontiguousarray(windows, np.float32)
    length = windows.shape[1]
    ranges = _ranges(near, far, rate_hz=rate_hz, length=length)
    return _compute(_prepared(length, float(rate_hz), len(ranges)), windows, ranges, len(np.atleast_1d(near)))


class FusedWindows:
    """vibration/1 of windows of one length and rate, on this thread's GPU; not thread-safe.

    ``orders_``: multiples of the shaft's speed, as ``vibration.orders`` has them; () for no lines.
    """

    def __init__(
        self,
        *,
        length: int,
        rate_hz: float,
        orders_: ArrayLike = (),
        across: int = 1,
        thread_bits: int | None = None,
    ) -> None:
        """``across``: windows a row of features, such as a machine's channels. May raise KernelInputError (a
        length that does not fit), CudaUnavailableError, CudaMemoryError."""
        self._orders = np.asarray(orders_, np.float64)
        self._near = min(len(SPECTRUM_LINES), len(self._orders))
        self.lines = self._near + len(self._orders)
        if not 1 <= across <= MOST_ACROSS:
            raise KernelInputError("windows a row", across, f"1 to {MOST_ACROSS}")
        self.across, self.length, self._rate_hz = across, length, float(rate_hz)
        self.width = across * (cuda_fused.LINES + self.lines)
        self._kernel = _Prepared(length, self._rate_hz, self.lines, thread_bits)

    def ranges(self, speed_hz: float | None) -> NDArray[np.int32]:
        """[lines, 2] first and last bin of each line at this speed; [0, 2] where there are none."""
        if (speed_hz is None) != (self.lines == 0):
            raise KernelInputError("speed", speed_hz, "one" if self.lines else "none, as there are no orders")
        wanted = self._orders * abs(speed_hz or 0.0)
        return _ranges(wanted[: self._near], wanted, rate_hz=self._rate_hz, length=self.length)

    def __call__(self, windows: Rows, *, speed_hz: float | None = None) -> Rows:
        """[m / across, width] features of windows [m, length]; KernelInputError for NaN or infinity."""
        windows = np.ascontiguousarray(windows, np.float32)
        if windows.ndim != 2 or windows.shape[1] != self.length or len(windows) % self.across:
            wanted = f"a multiple of {self.across} windows of {self.length} samples"
            raise KernelInputError("windows", f"shape {windows.shape}", wanted)
        found = _compute(self._kernel, windows, self.ranges(speed_hz), self._near)
        if np.isnan(found[:, 0]).any():
            place = int(np.argmax(np.isnan(found[:, 0])))
            raise KernelInputError(
                f"window {place}", "NaN, infinity or more than float32 powers", "finite samples"
            )
        return found.reshape(-1, self.width)

    def put(
        self, *, windows: int, ranges: int, rows: int, stream: Any, count: int = 1, stride: int = 0
    ) -> None:
        """Put the features of ``count`` rows on ``stream`` (its address); nothing waits or allocates.

        Addresses on the device: of float32 [count * across, length], int32 [lines, 2] and float32, in
        which row r begins at r * stride; that of windows is a multiple of 8. A window that is not
        finite makes its features NaN. The first launch compiles.
        """
        size = (count - 1) * stride + self.width
        self.launch(
            _at(windows, (count * self.across, self.length), np.float32),
            _at(ranges, (self.lines, 2), np.int32) if self.lines else None,
            _at(rows, (size,), np.float32),
            stride=stride,
            stream=cuda.external_stream(int(stream)),
        )

    def launch(
        self, windows: Any, ranges: Any, out: Any, *, column: int = 0, stride: int, stream: Any = 0
    ) -> None:
        """As ``put``, for arrays on the device: [m, length]; [lines, 2] or None; flat, from ``column`` on."""
        self._kernel.launch(
            windows, ranges, self._near, out, across=self.across, column=column, stride=stride, stream=stream
        )


def warm() -> None:
    """Compile the kernels and prove them on this GPU; TwinError if one disagrees with the reference."""
    rng = np.random.default_rng(5)
    for length in (256, 100):
        windows = (rng.normal(3.0, 1.0, (2, length)) + np.sin(np.arange(length) / 3)).astype(np.float32)
        lines = [12.0, 42.0], [8.0, 15.0]
        expected = reference.features(windows.astype(np.float64), 256.0, *lines)
        got = features(windows, 256.0, *lines)
        if not np.allclose(got, expected, rtol=1e-3, atol=1e-3):
            worst = float(np.abs(got - expected).max())
            raise TwinError(f"CUDA kernels differ from their reference by {worst:g} on {find_device().name}")


def kernel_of(plan: Plan) -> Any:
    """The kernel for ``plan``, not compiled yet; its arguments' types are ``FAST`` or ``PLAIN``."""
    if plan.fast:
        return cuda_fused.fast(plan.length.bit_length() - 1, plan.thread_bits)
    return cuda_fused.plain(plan.length, plan.thread_bits)


class _Prepared:
    """A kernel and its tables on the device."""

    def __init__(self, length: int, rate_hz: float, lines: int, thread_bits: int | None = None) -> None:
        self.device = find_device()
        limit = self.device.shared_limit
        self.plan = make_plan(
            length=length, rate_hz=rate_hz, lines=lines, shared_limit=limit, thread_bits=thread_bits
        )
        with named(f"preparing windows of {length} samples"):
            self._kernel = kernel_of(self.plan)
            allow_shared(self._kernel, FAST if self.plan.fast else PLAIN, self.plan.shared_bytes)
            tables = (self.plan.table,) if self.plan.fast else (self.plan.table, self.plan.slow_table)
            self._tables = [cuda.to_device(np.ascontiguousarray(table)) for table in tables]
            self._no_ranges = cuda.to_device(np.zeros((1, 2), np.int32))
            cuda.synchronize()  # a stream that waits for no other may be the first to launch

    def launch(self, windows, ranges, near, out, *, across, column, stride, stream) -> None:
        plan, count = self.plan, 0 if ranges is None else ranges.shape[0]
        if plan.fast:
            windows = windows.view(np.uint64)
        grid = (windows.shape[0] // across, across)
        with named(f"features of {windows.shape[0]} windows of {plan.length} samples"):
            self._kernel[grid, plan.threads, stream, plan.shared_bytes](
                windows,
                *self._tables,
                self._no_ranges if ranges is None else ranges,
                near,
                count,
                plan.per_bin,
                out,
                column,
                stride,
            )


@lru_cache(16)
def _prepared(length: int, rate_hz: float, lines: int) -> _Prepared:
    return _Prepared(length, rate_hz, lines)


def _compute(kernel: _Prepared, windows: Rows, ranges: NDArray[np.int32], near: int) -> Rows:
    """[m, 18 + lines]: over and back in page-locked memory, or in none where GPU and processor share it."""
    width = cuda_fused.LINES + len(ranges)
    if not len(windows):
        return np.empty((0, width), np.float32)
    with named(f"features of {len(windows)} windows of {kernel.plan.length} samples"):
        stream, unified = cuda.stream(), kernel.device.unified
        new = cuda.mapped_array if unified else cuda.pinned_array
        sent, back = new(windows.shape, dtype=np.float32), new(len(windows) * width, dtype=np.float32)
        sent[:] = windows
        if unified:
            given, out = cuda.as_cuda_array(sent, sync=False), cuda.as_cuda_array(back, sync=False)
        else:
            given, out = cuda.to_device(sent, stream=stream), cuda.device_array(back.shape, np.float32)
        places = cuda.to_device(ranges, stream=stream) if len(ranges) else None
        kernel.launch(given, places, near, out, across=1, column=0, stride=width, stream=stream)
        if not unified:
            out.copy_to_host(back, stream=stream)
        stream.synchronize()
    return np.array(back, copy=True).reshape(len(windows), width)


def _ranges(near: ArrayLike, far: ArrayLike, *, rate_hz: float, length: int) -> NDArray[np.int32]:
    bins = length // 2 + 1, layout.envelope_bins(length)
    found = [
        layout.line_bins(np.atleast_1d(wanted), rate_hz=rate_hz, length=length, bins=count)
        for wanted, count in zip((near, far), bins, strict=True)
    ]
    return np.concatenate(found).astype(np.int32)


def _at(address: int, shape: tuple[int, ...], dtype) -> Any:
    """Memory of others on the device as an array; nothing is copied, nothing waits."""
    described = {"shape": shape, "typestr": np.dtype(dtype).str, "data": (int(address), False), "version": 3}
    return cuda.as_cuda_array(SimpleNamespace(__cuda_array_interface__=described), sync=False)
