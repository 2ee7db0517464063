"""What each check of a quality report means for what is learnt from the dataset, and what to do about it.

A finding that stops never becomes part of a dataset, so all that a dataset says of itself is a warning:
``weight`` tells those that may cost a model something from those that are good to know.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    title: str
    means: str
    do: str
    weight: int  # 2: may mislead a model, 1: costs it something, 0: good to know


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one check found, with what that means; ``texts`` name machines."""

    check: str
    meaning: Meaning
    texts: tuple[str, ...]


MEANINGS: Mapping[str, Meaning] = MappingProxyType(
    {
        "shape": Meaning(
            title="Rows out of shape",
            means="A column holds what no machine can produce.",
            do="Report it with the hash of this dataset.",
            weight=2,
        ),
        "duplicates": Meaning(
            title="Moments told twice",
            means="The same moment of a machine came with two different values; the first was taken.",
            do="Two devices may share one outbox: see the incidents and the quarantine.",
            weight=2,
        ),
        "constant": Meaning(
            title="Signals that never change",
            means="A model cannot learn from what stands still, and may take it for a sign of health.",
            do="Look at the sensor and what the device reads; declare a set point `steady` in the use case.",
            weight=2,
        ),
        "stuck": Meaning(
            title="Stuck sensors",
            means="A reading repeats far longer than this signal usually does.",
            do="Replace the sensor, or declare the signal `steady` in the use case.",
            weight=2,
        ),
        "range": Meaning(
            title="Beyond the sensor's range",
            means="Readings that this sensor cannot show: a wrong unit, or a broken sensor.",
            do="Check unit and sensor, or `low` and `high` in the use case.",
            weight=2,
        ),
        "labels": Meaning(
            title="Labels that contradict each other",
            means="The rows are learnt as neither sound nor faulty.",
            do="Look at the machine's labels and judge its alarms again.",
            weight=2,
        ),
        "clock": Meaning(
            title="Clocks that are off",
            means="Times are the device's own, so life and failures of these machines may not line up.",
            do="Set the device's clock right; its page tells how far it is off.",
            weight=2,
        ),
        "missing": Meaning(
            title="Missing rows",
            means="Time in which nothing was stored; the causes are in the table of machines below.",
            do="Look at the gaps of the device; leave a bad time out by the date of a new dataset.",
            weight=1,
        ),
        "memory": Meaning(
            title="Rows that teach nothing",
            means="What the device remembered when it made them is not stored, so they are not learnt from.",
            do="Nothing, where it is few; more comes in time.",
            weight=1,
        ),
        "spikes": Meaning(
            title="Spikes",
            means="Single readings far from their neighbours on both sides.",
            do="Look at the wiring of the sensor; leave the bad time out by the date of a new dataset.",
            weight=1,
        ),
        "late": Meaning(
            title="Rows that came too late",
            means="They were measured before the dataset was made and received after that: left out.",
            do="Nothing: the next dataset has them.",
            weight=0,
        ),
        "left-out": Meaning(
            title="Machines left out",
            means="They do not fit the use case as they are declared, so no row of them is here.",
            do="The reason stands beside each machine.",
            weight=0,
        ),
        "bearing": Meaning(
            title="A bearing was assumed",
            means="Lines of a 6205 were looked for, because the signal table declares no bearing.",
            do="Declare the bearing in the device's source; its features begin anew then.",
            weight=0,
        ),
    }
)
OTHER = Meaning(title="Good to know", means="Told when the dataset was made.", do="", weight=0)


def explain(quality: Mapping[str, Any], warnings: Iterable[str] = ()) -> list[Told]:
    """The findings of a report by check, the heaviest first; then ``warnings`` that are no finding's."""
    texts: dict[str, list[str]] = {}
    for finding in quality.get("findings") or ():
        texts.setdefault(str(finding.get("check", "")), []).append(str(finding.get("text", "")))
    known = {text for each in texts.values() for text in each}
    rest = [text for text in warnings if text not in known]
    told = [
        Told(check=name, meaning=MEANINGS.get(name, OTHER), texts=tuple(each)) for name, each in texts.items()
    ]
    told += [Told(check="", meaning=OTHER, texts=tuple(rest))] if rest else []
    return sorted(told, key=lambda each: -each.meaning.weight)
