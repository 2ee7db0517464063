"""What the measures of a dataset mean: the limits, and the sentence for each that is passed.

A finding that ``stops`` means that what would be learnt from the data is not what the
machines did: the snapshot is refused with the reason and what to do. Every other one is a warning.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloud_hub.dataset import frame
from cloud_hub.dataset.reading import Found, some

Measures = dict[str, dict[str, Any]]  # by name of the machine or signal

MOST_MISSING = 0.5  # of all rows that should be there
MANY_MISSING = 0.1  # of one machine's
MOST_DENIED = 0.01  # of all rows, told again with other values
MOST_BEYOND = 0.05  # of a signal's readings, outside of what its sensor can show
MOST_SPIKES, MANY_SPIKES = 0.02, 0.001  # of a signal's readings
MOST_STUCK = 0.5  # of the readings of a signal
MOST_CONSTANT = 0.5  # of the signals
MOST_SKEW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    check: str
    text: str
    stops: bool = False
    remedy: str = ""


def judge_measures(
    found: Found, machines: Measures, signals: Measures, broken: frame.Failures
) -> tuple[Finding, ...]:
    """Everything worth telling, in the order of how far it reaches."""
    return (
        *_of_shape(broken),
        *_of_rows(machines),
        *_of_signals(signals),
        *_of_membership(found),
        *_of_machines(machines),
        *_of_labels(found),
    )


def _of_shape(broken: frame.Failures) -> Iterator[Finding]:
    for (column, check), rows in broken.items():
        if column in frame.OWN or not frame.is_range(check):
            yield Finding(
                check="shape",
                text=f"{rows} rows whose {column} breaks {check}",
                stops=True,
                remedy="report it: no machine can be the cause",
            )


def _of_membership(found: Found) -> Iterator[Finding]:
    for name, reason in sorted(found.left_out.items()):
        yield Finding(check="left-out", text=f"{name}: {reason}")
    if found.received_late:
        yield Finding(check="late", text=f"{found.received_late} rows came after the moment of the snapshot")
    if assumed := some(member.name for member in found.members if member.bearing_assumed):
        yield Finding(
            check="bearing",
            text=f"lines of a bearing were looked for where a 6205 has them on {assumed}, for the signal "
            "table of its device declares no `bearing`",
        )


def _of_rows(machines: Measures) -> Iterator[Finding]:
    rows = sum(told["rows"] for told in machines.values())
    lacking = sum(told["lacking"] for told in machines.values())
    share = lacking / max(lacking + rows, 1)
    if share > MOST_MISSING:
        yield Finding(
            check="missing",
            text=f"{share:.0%} of all rows are missing, at most {MOST_MISSING:.0%} may be",
            stops=True,
            remedy="look at the gaps of its devices, and leave the bad time out with --since",
        )
    denied = sum(told["denied"] for told in machines.values())
    if denied:
        yield Finding(
            check="duplicates",
            text=f"{denied} rows were told twice with other values on {_those(machines, 'denied')}: "
            "the first were taken",
            stops=denied > MOST_DENIED * rows,
            remedy="two devices may share one outbox: see the incidents and the quarantine",
        )


def _of_machines(machines: Measures) -> Iterator[Finding]:
    lacking = {name: told["missing"] for name, told in machines.items() if told["missing"] > MANY_MISSING}
    if lacking:
        text = f"up to {max(lacking.values()):.0%} of the rows of {some(lacking)} are missing"
        yield Finding(check="missing", text=text)
    if unmade := _those(machines, "unmade"):
        yield Finding(check="missing", text=f"rows with features that could not be made on {unmade}")
    if unknown := sum(told["forgotten"] for told in machines.values()):
        yield Finding(
            check="memory",
            text=f"{unknown} rows of {_those(machines, 'forgotten')} teach nothing: what their device "
            "remembered then is not among the rows: lost, before the span, or of an older image",
        )
    if late := _those(machines, "disorder"):
        yield Finding(check="clock", text=f"rows told in another order than measured on {late}")
    if wrong := some(name for name, told in machines.items() if abs(told["skew_s"]) > MOST_SKEW_S):
        yield Finding(
            check="clock", text=f"the clock is off by over {MOST_SKEW_S:.0f} s on the device of {wrong}"
        )


def _those(machines: Measures, measure: str) -> str:
    """The machines of which ``measure`` is not 0."""
    return some(name for name, told in machines.items() if told[measure])


def _of_signals(signals: Measures) -> Iterator[Finding]:
    constant = [name for name, told in signals.items() if told["constant"]]
    if constant:
        yield Finding(
            check="constant",
            text=f"{len(constant)} of {len(signals)} signals never change: {some(constant)}",
            stops=len(constant) > MOST_CONSTANT * len(signals),
            remedy="look at the sensors and at what the device reads; a set point is declared `steady`",
        )
    for name, told in signals.items():
        yield from _of_signal(name, told)


def _of_signal(name: str, told: dict[str, Any]) -> Iterator[Finding]:
    if told["stuck"]:
        yield Finding(
            check="stuck",
            text=f"{name} stands still on {some(told['stuck'])}",
            stops=told["stuck_share"] > MOST_STUCK,
            remedy="replace the sensor, or declare the signal `steady`",
        )
    if told["spikes"] > MANY_SPIKES:
        yield Finding(
            check="spikes",
            text=f"{told['spikes']:.2%} of the readings of {name} are spikes",
            stops=told["spikes"] > MOST_SPIKES,
            remedy="look at its wiring; leave the bad time out with --since",
        )
    if told["beyond"]:
        yield Finding(
            check="range",
            text=f"{told['beyond']:.2%} of the readings of {name} are beyond what its sensor can show",
            stops=told["beyond"] > MOST_BEYOND,
            remedy="check unit and sensor, or low and high in the use case",
        )


def _of_labels(found: Found) -> Iterator[Finding]:
    for judged in found.judged:
        for text in judged.contradictions:
            yield Finding(check="labels", text=f"{text}: learnt as neither")
