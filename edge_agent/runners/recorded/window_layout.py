"""Where everything of one window lies in one block of memory: what is sent, in one copy, and what comes back.

    windows   float32 [channels, length]     sent
    ranges    int32 [lines, 2]               sent: the bins in which each line may show, as the speed has it
    row       float32 [1, width]             the kernel writes features, the sender scalars behind them
    outputs   float32 [1, k] each            the engine writes them

The row is the engine's input itself: features go nowhere between kernel and engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from edge_agent.errors import FeatureMismatchError
from edge_agent.runners.recorded.engine_row import ALIGNED
from kernels.errors import KernelInputError
from kernels.sets import Extractor
from kernels.vibration import VibrationExtractor


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    start: int
    shape: tuple[int, ...]
    dtype: type[np.float32] | type[np.int32]

    @property
    def stop(self) -> int:
        return self.start + prod(self.shape) * np.dtype(self.dtype).itemsize

    def view(self, block: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        return block[self.start : self.stop].view(self.dtype).reshape(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLayout:
    windows: Part
    ranges: Part
    row: Part
    outputs: Mapping[str, Part]
    size: int  # bytes in all

    @classmethod
    def of(cls, *, channels: int, length: int, lines: int, width: int, outputs: Mapping[str, int]) -> Self:
        """Every part begins where TensorRT wants an address to."""
        windows = Part(start=0, shape=(channels, length), dtype=np.float32)
        ranges = Part(start=_after(windows), shape=(lines, 2), dtype=np.int32)
        last = row = Part(start=_after(ranges), shape=(1, width), dtype=np.float32)
        found = {}
        for name, count in outputs.items():
            last = found[name] = Part(start=_after(last), shape=(1, count), dtype=np.float32)
        return cls(windows=windows, ranges=ranges, row=row, outputs=found, size=_after(last))


def check_extractor(extractor: Extractor) -> VibrationExtractor:
    """``extractor``, whose rows are made from windows and known scalars alone; else FeatureMismatchError.

    That is vibration/1 with waveforms of one rate. bearing/1 has features that the CUDA twin does not
    compute; the trends remember, and what they remember is kept in float64 on the processor.
    """
    if type(extractor) is not VibrationExtractor:  # other sets extend it
        found = type(extractor).__name__
        raise FeatureMismatchError(f"expected features of windows alone (vibration/1), got {found}")
    rates = {waveform.rate_hz for waveform in extractor.waveforms}
    lengths = {waveform.length for waveform in extractor.waveforms}
    if len(rates) > 1 or len(lengths) > 1:
        found = ", ".join(
            f"{one.name}: {one.length or 'any'} at {one.rate_hz:g} Hz" for one in extractor.waveforms
        )
        raise FeatureMismatchError(f"expected waveforms of one rate and length, got {found}")
    return extractor


def speed_of(extractor: VibrationExtractor, scalars: npt.NDArray[np.float64]) -> float | None:
    """Turns of the shaft a second; None where the machine does not tell, and there are no lines."""
    if not np.isfinite(scalars).all() or scalars.shape != (len(extractor.scalars),):
        raise KernelInputError("scalars", scalars, f"{len(extractor.scalars)} known values")
    if extractor.speed is None:
        return None
    place, per_second = extractor.speed
    return float(scalars[place]) * per_second


def _after(part: Part) -> int:
    return -(-part.stop // ALIGNED) * ALIGNED
