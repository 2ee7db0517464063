"""The feature set bearing/1: which part of a rolling bearing strikes, whatever the machine around it.

Each line is a ratio to its own neighbourhood, at orders of the shaft, and the mean over
bands: neither the level of the machine, nor its speed, nor where its housing rings are in
it. What is left of the machine is the shape of its spectrum, in three numbers, as some
faults (looseness, a rough ball) make no lines. Long windows tell neighbouring lines
apart: those of the outer and the inner race and their sidebands lie 0.1 orders from
each other, so a window should hold 20 turns at least, and 40 are better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels import cpu, defect_cpu, defect_layout, layout, vibration
from kernels.bearing import BEARING_6205, Bearing
from kernels.errors import KernelInputError
from kernels.extractor import Row, tag_of
from kernels.vibration import PER_SECOND, SPEED, VibrationExtractor, make_vibration

SHAPE = ("log_centroid", "log_spread", "entropy")
_SHAPE_AT = layout.BANDS  # of the columns of ``spectral``


def defect_features(
    windows: NDArray[np.float32],
    *,
    rate_hz: float,
    speed_hz: float,
    orders: NDArray[np.float64],
    twin=cpu,
    own=defect_cpu,
) -> NDArray[np.float32]:
    """[m, lines + 3] features of windows [m, n], all at one rate and speed; silence is all zeros.

    Raises KernelInputError naming the first window with a sample that is not finite.
    ``orders``: see ``defect_layout.line_orders``. ``twin`` and ``own``: the modules that compute.
    """
    length = windows.shape[1]
    centred = twin.centre(windows)
    if np.isnan(centred[:, 0]).any():
        place = int(np.argmax(np.isnan(centred[:, 0])))
        raise KernelInputError(f"window {place}", "NaN or infinity", "finite samples")
    spectra = twin.spectrum(centred)
    places = defect_layout.places(orders, speed_hz=speed_hz, rate_hz=rate_hz, length=length)
    lines = own.prominences(own.envelopes(spectra, length), places)
    shape = twin.spectral(spectra, length, rate_hz)[:, _SHAPE_AT:]
    return np.concatenate([lines, np.log1p(shape[:, :2]), shape[:, 2:]], axis=1)


@dataclass(frozen=True, kw_only=True)
class DefectExtractor(VibrationExtractor):
    """Per waveform the features of ``defect_features``, then the last value of each scalar."""

    def _describe(self, windows: list[NDArray[np.float32]], speed_hz: float | None) -> Row:
        assert speed_hz is not None  # there is none without a speed
        found = [
            defect_features(window[None], rate_hz=waveform.rate_hz, speed_hz=speed_hz, orders=self.orders)
            for window, waveform in zip(windows, self.waveforms, strict=True)
        ]
        return np.concatenate(found, axis=1)[0]


def warm() -> None:
    """Compile all that a reading needs, and prove it; see ``defect_cpu.warm``."""
    vibration.warm()
    defect_cpu.warm()


def make_defects(
    *,
    scalars: Sequence[str],
    waveforms: Sequence[tuple[str, float, int]],
    units: Mapping[str, str],
    bearing: Bearing = BEARING_6205,
) -> DefectExtractor:
    if not waveforms:
        raise KernelInputError("bearing/1", "no waveforms", "at least one waveform signal")
    plain = make_vibration(scalars=scalars, waveforms=waveforms, units=units, bearing=bearing)
    if plain.speed is None:
        found = f"unit {units.get(SPEED, '1')!r}" if SPEED in scalars else "no such scalar"
        raise KernelInputError(
            SPEED, found, f"a scalar in {' or '.join(PER_SECOND)}, for orders of the shaft"
        )
    lines, orders = defect_layout.line_orders(bearing)
    names, kinds = [], []
    for waveform in plain.waveforms:
        names += layout.names(waveform.name, [*lines, *SHAPE])
        kinds += ["1"] * (len(lines) + len(SHAPE))
    names += [f"{scalar}.last" for scalar in scalars]
    kinds += [units.get(scalar, "1") for scalar in scalars]
    return DefectExtractor(
        scalars=plain.scalars,
        waveforms=plain.waveforms,
        names=tuple(names),
        units=tuple(kinds),
        tag=tag_of("bearing/1", names, kinds, plain.tag),
        speed=plain.speed,
        orders=orders,
    )
