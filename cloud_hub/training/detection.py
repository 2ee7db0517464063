"""Detectors judged reading by reading where the truth is known: at their limits, at equal false alarms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kernels.alarm import AlarmPolicy, run

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Counts of readings by what was said and what was true."""

    found: int  # anomalous, under an alarm
    missed: int
    false: int
    quiet: int  # sound, without an alarm

    @property
    def f1(self) -> float:
        return 2 * self.found / max(1, 2 * self.found + self.missed + self.false)

    @property
    def false_rate(self) -> float:
        """Of the sound readings."""
        return self.false / max(1, self.false + self.quiet)

    @property
    def missed_rate(self) -> float:
        """Of the anomalous readings."""
        return self.missed / max(1, self.found + self.missed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """One machine for a while: what each detector made of it, and the truth, [n] each.

    ``policy`` says how an alarm comes out of a score; its limit is the detectors' own.
    """

    number: int
    scores: Mapping[str, NDArray[np.float64]]  # by detector
    anomalous: Mask
    policy: AlarmPolicy

    def rates(self, detector: str, limit: float | None = None) -> Rates:
        """Under the detector's own limit, or another in its place."""
        policy = self.policy if limit is None else replace(self.policy, threshold=limit, clear=limit)
        alarm = run(policy, self.scores[detector]).active
        return Rates(
            found=int((alarm & self.anomalous).sum()),
            missed=int((~alarm & self.anomalous).sum()),
            false=int((alarm & ~self.anomalous).sum()),
            quiet=int((~alarm & ~self.anomalous).sum()),
        )

    def trade_off(self, detector: str) -> "TradeOff":
        """What false alarms buy, over all limits that make a difference."""
        limits = np.unique(self.scores[detector])
        tried = [self.rates(detector, float(limit)) for limit in limits[np.isfinite(limits)]]
        return TradeOff(
            false_rate=np.array([found.false_rate for found in tried]),
            missed_rate=np.array([found.missed_rate for found in tried]),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TradeOff:
    """The rates of one detector on one machine under each of [m] limits."""

    false_rate: NDArray[np.float64]
    missed_rate: NDArray[np.float64]

    def least_missed(self, false_rate: float) -> float:
        """The missed-alarm rate under the best limit that alarms falsely no more often than that."""
        return float(self.missed_rate[self.false_rate <= false_rate].min(initial=1.0))


def pool(every: Iterable[Rates]) -> Rates:
    """All their readings as those of one machine."""
    found, missed, false, quiet = np.sum(
        [(one.found, one.missed, one.false, one.quiet) for one in every], axis=0
    ).tolist()
    return Rates(found=found, missed=missed, false=false, quiet=quiet)
