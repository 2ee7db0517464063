"""How quick the fused kernel is on this host's GPU, beside the FFT alone and beside CuPy.

``vectorised`` is what CuPy makes of the same features, written as well as it allows: float32,
products instead of powers, chains of operations fused into one kernel each, cuFFT for the
transforms. A test holds its answers, computed with NumPy, against the reference. Times are the
device's own (CUDA events); each is of several runs in a row, so that no launch is waited for.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from kernels import layout
from kernels.bearing import BEARING_6205
from kernels.errors import KernelError
from kernels.vibration import orders

LENGTH, RATE_HZ, SPEED_HZ = 4096, 12_000.0, 29.5
WINDOWS = 65_536  # 1 GiB
RUNS = 8  # in a row
FIGURE = f"all features of windows of {LENGTH} on the GPU"
FULL, PLAIN, FFT, COPY, CUPY = "fused", "fused, no lines", "cuFFT R2C", "copy", "CuPy"

Race = Callable[..., dict[str, list[float]]]
Row = dict[str, Any]


def gpu_kernels(race: Race, *, quick: bool) -> Iterator[Row]:
    """The fused kernel beside cuFFT alone, a copy, and CuPy. See ``firmware_configs.figures``."""
    count = WINDOWS // 8 if quick else WINDOWS
    rows = [
        {"figure": f"{FIGURE}, {count} windows", "unit": "ms", "bar": "<= 1.5"},
        {"figure": f"the same without lines, {count} windows", "unit": "ms"},
        {"figure": "input of the fused kernel", "unit": "GB/s"},
        {"figure": FIGURE, "unit": "window/s", "bar": ">= 3.0"},
    ]
    try:
        import cupy  # noqa: PLC0415 - only here, and most hosts have none

        contenders, clock = _contenders(cupy, count)
    except (ImportError, KernelError) as error:
        reason = f"{error}: pip install cupy-cuda13x" if isinstance(error, ImportError) else str(error)
        yield from (row | {"not_run": reason} for row in rows)
        return
    taken = race(contenders, rounds=5 if quick else 25, clock=clock)
    seconds = {name: median(times) / RUNS for name, times in taken.items()}
    for row, against in zip(rows, _against(seconds, count), strict=True):
        yield row | against


def _against(seconds: dict[str, float], count: int) -> Iterator[Row]:
    """The value of each figure, what it is held against, and the value of that."""
    size, fft_ms = count * LENGTH * 4 / 1e9, seconds[FFT] * 1e3
    for value, reference, reference_value in (
        (seconds[FULL] * 1e3, FFT, fft_ms),
        (seconds[PLAIN] * 1e3, FFT, fft_ms),
        (size / seconds[FULL], COPY, size / seconds[COPY]),
        (count / seconds[FULL], CUPY, count / seconds[CUPY]),
    ):
        yield {"value": value, "reference": reference, "reference_value": reference_value}


def _contenders(cupy: Any, count: int) -> tuple[dict[str, Callable[[], object]], Callable[[], float]]:
    """What is raced, and the clock of the stream that all of it runs on."""
    from cupyx.scipy.fftpack import get_fft_plan  # noqa: PLC0415 - see above
    from numba import cuda as device  # noqa: PLC0415 - needs numba-cuda

    from kernels.cuda import FusedWindows  # noqa: PLC0415 - needs numba-cuda

    full = FusedWindows(length=LENGTH, rate_hz=RATE_HZ, orders_=orders(BEARING_6205))
    plain = FusedWindows(length=LENGTH, rate_hz=RATE_HZ)
    stream = cupy.cuda.Stream(non_blocking=True)
    stream.use()
    windows = draw(cupy, count)
    spectra, copied = cupy.empty((count, LENGTH // 2 + 1), np.complex64), cupy.empty_like(windows)
    plan = get_fft_plan(windows, axes=1, value_type="R2C")
    lines = orders(BEARING_6205) * SPEED_HZ
    work: dict[str, Callable[[], object]] = {
        FFT: partial(plan.fft, windows, spectra, cupy.cuda.cufft.CUFFT_FORWARD),
        COPY: partial(cupy.copyto, copied, windows),
        CUPY: partial(vectorised, cupy, windows, RATE_HZ, lines[:2], lines),
    }
    for name, fused in ((FULL, full), (PLAIN, plain)):
        ranges = device.to_device(fused.ranges(SPEED_HZ)) if fused.lines else None
        out = device.device_array(count * fused.width, np.float32)
        ours = device.as_cuda_array(windows, sync=False), ranges, out
        there = device.external_stream(stream.ptr)
        work[name] = partial(fused.launch, *ours, stride=fused.width, stream=there)
    return {name: partial(_again, one) for name, one in work.items()}, _Clock(cupy, stream)


def _again(work: Callable[[], object]) -> None:
    for _ in range(RUNS):
        work()


class _Clock:
    """Seconds by events on ``stream``, once all that was put on it is done."""

    def __init__(self, cupy: Any, stream: Any) -> None:
        self._cuda, self._stream, self._seconds = cupy.cuda, stream, 0.0
        self._last = self._mark()

    def __call__(self) -> float:
        event = self._mark()
        event.synchronize()
        self._seconds += self._cuda.get_elapsed_time(self._last, event) / 1e3
        self._last = event
        return self._seconds

    def _mark(self) -> Any:
        event = self._cuda.Event()
        event.record(self._stream)
        return event


def draw(xp: Any, count: int) -> Any:
    """float32 [count, 4096]: noise, a shaft, and an offset as accelerometers have one."""
    moment = xp.arange(LENGTH, dtype=np.float32) / np.float32(RATE_HZ)
    shaft = xp.sin(np.float32(2 * np.pi * SPEED_HZ) * moment)
    generator = xp.random.default_rng(3)
    windows = generator.standard_normal((count, LENGTH), dtype=np.float32)
    windows += shaft + np.float32(0.5)
    return windows


def vectorised(xp: Any, windows: Any, rate_hz: float, near: Any, far: Any) -> Any:
    """[m, 18 + lines], as ``reference.features``, of sound windows; ``xp``: cupy, or numpy to prove it."""
    length = windows.shape[1]
    x = windows - windows.mean(axis=1, keepdims=True)
    x -= x.mean(axis=1, keepdims=True)  # what rounding left of the mean
    spectra = xp.fft.rfft(x, axis=1).astype(np.complex64, copy=False)
    found = [*_statistics(xp, x), *_spectral(xp, spectra, length, rate_hz)]
    low, high = layout.resonance_bins(length)
    magnitude = xp.abs(xp.fft.ifft(spectra[:, low:high], axis=1)) * np.float32(2 * (high - low) / length)
    envelope = xp.fft.rfft(magnitude - magnitude.mean(axis=1, keepdims=True), axis=1)
    for stack, samples, wanted in ((spectra, length, near), (envelope, length // 4, far)):
        places = layout.line_bins(wanted, rate_hz=rate_hz, length=length, bins=stack.shape[1])
        found += [_line(xp, stack, samples, low, high) for low, high in places.tolist()]
    return xp.stack(found, axis=1)


def _statistics(xp: Any, x: Any) -> list[Any]:
    absolute, square = xp.abs(x), x * x
    peak, mean = absolute.max(axis=1), absolute.mean(axis=1)
    second, third, fourth = (_fused(xp, part)(x, square).mean(axis=1) for part in (_second, _third, _fourth))
    rms = xp.sqrt(second)
    return [rms, peak, peak / rms, fourth / second**2, third / rms**3, rms / mean, peak / mean]


def _second(x: Any, square: Any) -> Any:
    return square


def _third(x: Any, square: Any) -> Any:
    return square * x


def _fourth(x: Any, square: Any) -> Any:
    return square * square


def _spectral(xp: Any, spectra: Any, length: int, rate_hz: float) -> list[Any]:
    power = _fused(xp, _power)(spectra.real, spectra.imag, np.float32(2 / length**2))
    power[:, 0] /= 2
    if length % 2 == 0:
        power[:, -1] /= 2
    bands = [power[:, low:high].sum(axis=1) for low, high in pairwise(layout.band_edges(length).tolist())]
    total = power.sum(axis=1)
    bins = xp.arange(power.shape[1], dtype=np.float32)
    centre = (power * bins).sum(axis=1) / total
    second = _fused(xp, _apart)(power, bins, centre[:, None]).sum(axis=1) / total
    share = _fused(xp, _information(xp))(power, total[:, None]).sum(axis=1)
    scale = np.float32(rate_hz / length)
    return [*bands, centre * scale, xp.sqrt(second) * scale, -share / np.float32(np.log(power.shape[1]))]


def _power(real: Any, imag: Any, norm: Any) -> Any:
    return (real * real + imag * imag) * norm


def _apart(power: Any, bins: Any, centre: Any) -> Any:
    return power * (bins - centre) * (bins - centre)


@cache
def _information(xp: Any) -> Callable[..., Any]:
    def information(power: Any, total: Any) -> Any:
        share = power / total
        return share * xp.log(xp.maximum(share, np.float32(1e-37)))

    return information


def _line(xp: Any, spectra: Any, samples: int, low: int, high: int) -> Any:
    if low > high:
        return xp.zeros(len(spectra), np.float32)
    near = spectra[:, low - 1 : high + 2]
    hann = near[:, 1:-1] / 2 - (near[:, :-2] + near[:, 2:]) / 4
    return xp.abs(hann).max(axis=1) * np.float32(4 / samples)


@cache
def _fused(xp: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """One kernel instead of one an operation, where there are kernels."""
    return xp.fuse()(function) if hasattr(xp, "fuse") else function
