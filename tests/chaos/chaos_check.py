"""The comparison: every sample the sources produced against what is stored or explained. Pure.

A sample is (signal, time, value), bit for bit; no two that are produced are equal, so a multiset comparison is
exact. Of each sample that was produced and is not stored:

*explained*   a gap row covers it (a span of time of its device or machine, or the sequences of an epoch it was
              seen to travel in) AND it lies in the window of an injected fault that may cost live samples of its
              feed: an agent that was dead, a full disk, a restored image or database. A gap alone explains
              nothing, else a hub that writes one giant gap would pass; a cut network or a killed broker, ingest
              or database excuses nothing at all.
*lost*        not explained, although a batch that held it was seen on the wire: the agent's outbox had durably
              taken it, for only what is committed there is ever sent.
*unexplained* not explained, and nobody saw it.

*doubled* is every stored row beyond the number of times it was produced, which includes what nobody produced.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from chaos_truth import KEYS_EACH, SAMPLE, SCALARS, Samples

Mask = npt.NDArray[np.bool_]
Span = tuple[int, int]  # microseconds, both ends included

SEEN = np.dtype([*SAMPLE.descr, ("epoch", "<i8"), ("sequence", "<i8")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A gap row; ``device`` is its number, ``machine`` its number on the device or -1. Zeros: not told."""

    device: int
    reason: str
    machine: int = -1
    from_us: int = 0
    to_us: int = 0
    epoch: int = 0
    first: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When samples of ``feed`` may be missing, and by which fault."""

    feed: str
    from_us: int
    to_us: int
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    verdict: str
    feed: str
    key: int
    time_us: int
    value: float
    faults: tuple[str, ...]  # whose window it lies in


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    samples: int
    stored: int
    lost: int
    doubled: int
    unexplained: int
    explained: int
    gap_s: float  # told as gaps, of all devices together
    beyond_s: float  # of that, outside of every window
    told_s: Mapping[str, float]  # by reason, of all devices together
    by_reason: Mapping[str, int]  # missing samples by the reasons of the gaps over them
    examples: tuple[Example, ...]

    @property
    def holds(self) -> bool:
        return not (self.lost or self.doubled or self.unexplained)


def compare(
    produced: Mapping[str, Samples],
    stored: Samples,
    *,
    gaps: Sequence[Gap],
    windows: Sequence[Window],
    seen: npt.NDArray[np.void],
    examples: int = 12,
) -> Verdict:
    """``produced`` by feed, ``stored`` as SAMPLE, ``seen`` on the wire as SEEN."""
    there = _counted(stored)
    expected = Counter[bytes]()
    shown: list[Example] = []
    totals = Counter[str]()
    reasons = Counter[str]()
    for feed, samples in produced.items():
        own = [window for window in windows if window.feed == feed]
        expected.update(_counted(samples))
        missing = samples[[there[row.tobytes()] == 0 for row in samples]] if len(samples) else samples
        covered, why = _covered(missing, gaps, seen)
        reasons.update(why)
        explained = covered & _within(missing["time"], [(w.from_us, w.to_us) for w in own])
        sent = _on_the_wire(missing, seen)
        for verdict, mask in (("lost", ~explained & sent), ("unexplained", ~explained & ~sent)):
            totals[verdict] += int(mask.sum())
            shown += [_example(verdict, feed, row, own) for row in missing[mask][:examples]]
        totals["explained"] += int(explained.sum())
    for row, count in (there - expected).items():
        totals["doubled"] += count
        if len(shown) < 3 * examples:
            sample = np.frombuffer(row, SAMPLE)[0]
            shown.append(_example("doubled", _feed_of(sample, produced), sample, windows))
    gap_s, beyond_s = _gap_time(gaps, windows, produced)
    return Verdict(
        samples=sum(map(len, produced.values())),
        stored=len(stored),
        lost=totals["lost"],
        doubled=totals["doubled"],
        unexplained=totals["unexplained"],
        explained=totals["explained"],
        gap_s=gap_s,
        beyond_s=beyond_s,
        told_s=_told_by_reason(gaps),
        by_reason=dict(reasons),
        examples=tuple(shown),
    )


def _counted(samples: Samples) -> Counter[bytes]:
    return Counter(row.tobytes() for row in np.ascontiguousarray(samples, SAMPLE))


def _covered(samples: Samples, gaps: Sequence[Gap], seen: npt.NDArray[np.void]) -> tuple[Mask, Counter[str]]:
    """Which of ``samples`` a gap covers, and how many each reason covers."""
    covered = np.zeros(len(samples), bool)
    reasons = Counter[str]()
    travelled = _journeys(samples, seen)
    device, machine = samples["key"] // KEYS_EACH, samples["key"] % KEYS_EACH // SCALARS
    for gap in gaps if len(samples) else ():
        mask = (device == gap.device) & ((gap.machine < 0) | (machine == gap.machine))
        if gap.to_us:
            here = mask & (samples["time"] >= gap.from_us) & (samples["time"] <= gap.to_us)
        else:
            here = np.zeros(len(samples), bool)
        if gap.first:
            of_epoch = travelled["epoch"] == gap.epoch
            in_range = (travelled["sequence"] >= gap.first) & (travelled["sequence"] <= gap.last)
            here |= mask & of_epoch & in_range
        reasons[gap.reason] += int((here & ~covered).sum())
        covered |= here
    return covered, +reasons


def _journeys(samples: Samples, seen: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Epoch and sequence of the batch each sample was seen in; zeros where it was not seen."""
    where = {row.tobytes(): at for at, row in enumerate(np.ascontiguousarray(seen[list(SAMPLE.names or ())]).astype(SAMPLE))} if len(samples) else {}  # fmt: skip
    found = np.zeros(len(samples), [("epoch", "<i8"), ("sequence", "<i8")])
    for at, row in enumerate(samples):
        place = where.get(row.tobytes())
        if place is not None:
            found[at] = (seen["epoch"][place], seen["sequence"][place])
    return found


def _on_the_wire(samples: Samples, seen: npt.NDArray[np.void]) -> Mask:
    return np.asarray(_journeys(samples, seen)["sequence"] > 0)


def _within(times: npt.NDArray[np.int64], spans: Sequence[Span]) -> Mask:
    inside = np.zeros(len(times), bool)
    for first, last in spans:
        inside |= (times >= first) & (times <= last)
    return inside


def _example(verdict: str, feed: str, row: np.void, windows: Sequence[Window]) -> Example:
    when = int(row["time"])
    near = {w.fault for w in windows if w.feed == feed and w.from_us <= when <= w.to_us}
    return Example(
        verdict=verdict,
        feed=feed,
        key=int(row["key"]),
        time_us=when,
        value=float(row["value"]),
        faults=tuple(sorted(near)),
    )


def _feed_of(row: np.void, produced: Mapping[str, Samples]) -> str:
    for feed, samples in produced.items():
        if len(samples) and bool((samples == row).any()):
            return feed
    return "nobody"


def _gap_time(
    gaps: Sequence[Gap], windows: Sequence[Window], produced: Mapping[str, Samples]
) -> tuple[float, float]:
    """Seconds that gaps tell of, a device at a time; and those of them that no fault stands behind."""
    devices = {
        feed: int(samples["key"][0]) // KEYS_EACH for feed, samples in produced.items() if len(samples)
    }
    total = beyond = 0
    for device in set(devices.values()):
        told = merged([(gap.from_us, gap.to_us) for gap in gaps if gap.device == device and gap.to_us])
        allowed = merged([(w.from_us, w.to_us) for w in windows if devices.get(w.feed) == device])
        length = sum(last - first for first, last in told)
        shared = sum(
            max(0, min(last, until) - max(first, since)) for first, last in told for since, until in allowed
        )
        total, beyond = total + length, beyond + length - shared
    return total / 1e6, beyond / 1e6


def _told_by_reason(gaps: Sequence[Gap]) -> dict[str, float]:
    spans: dict[tuple[str, int], list[Span]] = {}
    for gap in gaps:
        if gap.to_us:
            spans.setdefault((gap.reason, gap.device), []).append((gap.from_us, gap.to_us))
    told = Counter[str]()
    for (reason, _), own in spans.items():
        told[reason] += sum(last - first for first, last in merged(own))
    return {reason: length / 1e6 for reason, length in told.items()}


def merged(spans: Sequence[Span]) -> list[Span]:
    """The same time in spans that do not overlap, in order."""
    result: list[Span] = []
    for first, last in sorted(spans):
        if result and first <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return result
