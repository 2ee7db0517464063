"""What a raw window holds by frequency: its spectrum, its envelope's, and which of their lines have names.

Pure, and made of the kernels' own pieces, so that a line here is the one a device's features look for.

*Spectrum*: of the window less its mean, through a periodic Hann window, one-sided, divided by half the
sum of that window: a sine that falls on a bin shows its own amplitude there, between two bins at worst
0.85 of it. (Heinzel, Ruediger & Schilling, "Spectrum and spectral density estimation by the DFT",
Max-Planck-Institut fuer Gravitationsphysik, 2002, section 9.) *Envelope*: the same of the magnitude of
the analytic signal in a quarter to three quarters of Nyquist (``kernels.reference.envelope``): housings
ring there when they are struck, however faint the strikes' own frequency is. *Peaks*: frequency and
amplitude from the two largest bins of a line, which a Hann window makes exact for a steady sine (Grandke,
"Interpolation algorithms for discrete Fourier transforms of weighted signals", IEEE Trans. Instrum. Meas.
32, 1983).
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels import layout, reference
from kernels.bearing import Bearing

SPECTRUM, ENVELOPE = "spectrum", "envelope"
KINDS = (SPECTRUM, ENVELOPE)
SHAFT = "turns of the shaft"
SHAFT_HARMONICS = 6
DEFECT_HARMONICS = 8
MOST_PEAKS = 10
SHORTEST = 64  # samples, as for features: below, there is nothing to tell apart
SPEED_NEAR = 0.01  # the shaft does not slip; its speed was read a moment before or after
FLOOR = 1e-3  # of the highest bin; what is lower is no peak to speak of

Values = npt.NDArray[np.float64]

_PIECES: Any = reference  # which has no annotations


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectrum:
    """``amplitudes`` float64 [k] of sines, in the window's unit, at 0, ``step_hz``, 2 ``step_hz``, ..."""

    step_hz: float
    amplitudes: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A frequency that has a name: ``short`` is drawn, ``name`` says what moves so."""

    short: str
    name: str
    hz: float
    number: int  # of the harmonic: 1 is what ``name`` itself does
    near: float  # as a share of it, how far a peak may be that it names


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    hz: float
    amplitude: float
    line: Line | None = None  # the nearest named frequency, where one is as near as slip and resolution allow
    off: float = 0.0  # from it, as a share of its frequency


def of(values: npt.NDArray[np.float32], rate_hz: float, kind: str) -> Spectrum:
    """The spectrum of a window, or of its envelope; nothing but 0 Hz of one that is too short."""
    length = len(values)
    if length < SHORTEST:
        return Spectrum(step_hz=rate_hz / max(length, 1), amplitudes=np.zeros(1))
    spectra, samples = _PIECES.spectrum(_PIECES.centre(np.asarray(values, np.float64)[None])), length
    if kind == ENVELOPE:
        spectra, samples = _PIECES.envelope(spectra, length), length // 4
    return Spectrum(step_hz=rate_hz / length, amplitudes=_hann(spectra[0], samples))


def _hann(spectrum: npt.NDArray[np.complex128], length: int) -> Values:
    """Through a Hann window, as the sum of three bins each; the outermost have no neighbour and are 0."""
    found = np.zeros(len(spectrum))
    found[1:-1] = np.abs(spectrum[1:-1] / 2 - (spectrum[:-2] + spectrum[2:]) / 4) * 4 / length
    return found


def lines(speed_hz: float | None, bearing: Bearing | None) -> tuple[Line, ...]:
    """The shaft's and its bearing's frequencies, those of the shaft first; none of a shaft that stands."""
    if speed_hz is None or not speed_hz > 0:
        return ()
    found = _harmonics("shaft", SHAFT, speed_hz, SHAFT_HARMONICS, near=SPEED_NEAR)
    if bearing is None:
        return tuple(found)
    strikes = 2 * bearing.ball_spin * speed_hz
    found += _harmonics("BPFO", "balls pass the outer race", bearing.outer_race * speed_hz, DEFECT_HARMONICS)
    found += _harmonics("BPFI", "balls pass the inner race", bearing.inner_race * speed_hz, DEFECT_HARMONICS)
    found += _harmonics("BSF", "a ball strikes both races", strikes, DEFECT_HARMONICS // 2, factor=2)
    found += _harmonics("BSF", "a ball spins", bearing.ball_spin * speed_hz, 1)
    return (*found, *_harmonics("FTF", "the cage goes round", bearing.cage * speed_hz, 1))


def _harmonics(
    short: str, name: str, hz: float, most: int, *, factor: int = 1, near: float = layout.LINE_TOLERANCE
) -> list[Line]:
    return [
        Line(
            short=short if number * factor == 1 else f"{number * factor}× {short}",
            name=name,
            hz=number * hz,
            number=number,
            near=near,
        )
        for number in range(1, most + 1)
    ]


def peaks(spectrum: Spectrum, named: Sequence[Line]) -> list[Peak]:
    """The highest lines of ``spectrum``, the highest first, each with the name it may have."""
    bins = spectrum.amplitudes
    if len(bins) < 3 or not bins.max() > 0:
        return []
    inner = bins[1:-1]
    tops = 1 + np.flatnonzero((inner > bins[:-2]) & (inner >= bins[2:]) & (inner > FLOOR * bins.max()))
    tops = tops[tops >= 2]  # beside 0 Hz it is what is left of the mean
    highest = tops[np.argsort(bins[tops])[::-1]]
    found = sorted(
        (_peak(spectrum, int(top)) for top in highest[:MOST_PEAKS]), key=lambda peak: -peak.amplitude
    )
    first = [_named(peak, [line for line in named if line.number == 1], spectrum.step_hz) for peak in found]
    heard = {SHAFT} | {peak.line.name for peak in first if peak.line}
    return [
        _named(peak, [line for line in named if _counts(line, heard)], spectrum.step_hz) for peak in found
    ]


def _counts(line: Line, heard: Collection[str]) -> bool:
    """Harmonics lie close to each other: one has no name where what it is a harmonic of is not heard."""
    return line.number == 1 or line.name in heard


def _peak(spectrum: Spectrum, top: int) -> Peak:
    low, middle, high = spectrum.amplitudes[top - 1 : top + 2].tolist()
    side, towards = (high, 1.0) if high >= low else (low, -1.0)
    share = side / middle
    off = min(max((2 * share - 1) / (1 + share), 0.0), 0.5)  # bins from the top one
    flat = 1.0 if off < 1e-9 else math.pi * off * (1 - off**2) / math.sin(math.pi * off)
    return Peak(hz=(top + towards * off) * spectrum.step_hz, amplitude=middle * flat)


def _named(peak: Peak, named: Sequence[Line], step_hz: float) -> Peak:
    line = min(named, key=lambda each: abs(each.hz - peak.hz), default=None)
    if line is None or abs(line.hz - peak.hz) > max(line.near * line.hz, step_hz):
        return peak
    return replace(peak, line=line, off=peak.hz / line.hz - 1)
