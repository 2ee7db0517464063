"""Which machines a use case can learn from: those whose devices declare exactly its signals, all the time.

One strange machine stops nobody: it is left out by name, with what is strange about it.
A machine whose signals, units, rates or bearing changed is left out too, for nothing stored
with a row says under which of its signal tables it was made; the span after the change is a
way out. All machines of a dataset give windows at one rate, that of most: a feature of the
same name means something else at another, and a model asks for the rate it was taught at.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from cloud_hub.dataset.declaration import Declaration, Signature, differences, kinds, remeasured
from models.use_case import UseCase
from wire.manifest import Waveform, rate_misfit, same_rate

Rates = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A machine whose rows belong into the dataset."""

    id: int
    name: str
    site: str
    device: int
    skew_s: float  # of its device's clock, as it was born last
    bearing_assumed: bool = False  # lines of a bearing were looked for, and nobody declared which it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    members: tuple[Member, ...]  # sorted by name
    names: tuple[str, ...]  # of the features that all of them make
    units: tuple[str, ...]
    waveforms: tuple[Waveform, ...]  # that the features are made of, at the rate of all of them
    left_out: dict[str, str]  # why, by machine


def choose(rows: Iterable[dict[str, Any]], use_case: UseCase, *, since: datetime) -> Membership:
    """The members among ``rows``: one for each machine and signal table, sorted by machine, then ``seen``."""
    members: dict[str, Member] = {}
    fitting: dict[str, Declaration] = {}
    left_out: dict[str, str] = {}
    for name, group in groupby(rows, key=lambda row: row["name"]):
        told = list(group)
        declared = _relevant(told, since)
        reason = _reason(declared, use_case)
        if reason:
            left_out[name] = reason
        else:
            members[name], fitting[name] = _member(told[0], declared[-1]), declared[-1]
    left_out |= _in_another_order(fitting)
    fitting = {name: declared for name, declared in fitting.items() if name not in left_out}
    waveforms = _waveforms(fitting)
    left_out |= _at_another_rate(fitting, waveforms)
    fitting = {name: declared for name, declared in fitting.items() if name not in left_out}
    names, units = next(iter(fitting.values())).features() if fitting else ((), ())
    chosen = tuple(members[name] for name in fitting)
    return Membership(members=chosen, names=names, units=units, waveforms=waveforms, left_out=left_out)


def _relevant(rows: Sequence[dict[str, Any]], since: datetime) -> list[Declaration]:
    """The tables that rows from ``since`` on may have been made under, the one in force first.

    Where the device went back to an earlier table, that is all of them: when it did is not kept.
    """
    newest, current = rows[-1]["hash"], rows[-1]["current"]
    hashes = {row["hash"] for row in rows}
    went_back = current in hashes and current != newest
    first = max((place for place, row in enumerate(rows) if row["seen"] <= since), default=0)
    return [Declaration.from_row(row) for row in (rows if went_back else rows[first:])]


def _member(row: Mapping[str, Any], declared: Declaration) -> Member:
    named = {key: row[key] for key in ("id", "name", "site", "device")}
    assumed = declared.machine.bearing is None and declared.bearing is not None
    return Member(**named, skew_s=float(row["skew_s"] or 0.0), bearing_assumed=assumed)


def _reason(declared: Sequence[Declaration], use_case: UseCase) -> str:
    """Why a machine with these tables is left out; empty: it is not."""
    first, last = declared[0], declared[-1]
    for other in declared[1:]:
        if other.signature != first.signature:
            return _changed("its signals", other, differences(kinds(first), kinds(other)) or "their order")
    if last.machine.feature_set != use_case.feature_set:
        return f"expected features {use_case.feature_set!r}, its device makes {last.machine.feature_set!r}"
    wanted = {signal.name: (signal.unit, signal.kind) for signal in use_case.signals}
    if told := differences(wanted, kinds(last)):
        return f"its signals are not those of {use_case.name}: {told}"
    if last.refusal:
        return f"its device makes no features of it: {last.refusal}"
    return _remeasured(declared, use_case)


def _remeasured(declared: Sequence[Declaration], use_case: UseCase) -> str:
    """Why features of the same names do not mean the same under all of these tables, where any were made."""
    made = [
        each for each in declared if each.machine.feature_set == use_case.feature_set and not each.refusal
    ]
    for other in made[1:]:
        if told := remeasured(made[0], other):
            return _changed("how it is measured", other, told)
    return ""


def _changed(what: str, declared: Declaration, told: str) -> str:
    return (
        f"{what} changed, seen {declared.seen:%Y-%m-%d %H:%M}: {told}; which rows came before "
        "is not known: snapshot with --since after that, or give the changed machine another name"
    )


def _in_another_order(fitting: Mapping[str, Declaration]) -> dict[str, str]:
    """Why, by machine, for those whose features come in another order than those of most."""
    orders: Counter[Signature] = Counter(declared.signature for declared in fitting.values())
    usual = min(orders, key=lambda order: (-orders[order], order), default=())
    reason = "its signals come in another order than on most machines: order its table as theirs"
    return {name: reason for name, declared in fitting.items() if declared.signature != usual}


def _waveforms(fitting: Mapping[str, Declaration]) -> tuple[Waveform, ...]:
    """At the rates that most of these machines have, or come near enough to."""
    rates: Counter[Rates] = Counter(tuple(declared.rates.items()) for declared in fitting.values())

    def alike(one: Rates) -> int:
        return sum(count for other, count in rates.items() if _same(one, other))

    usual = min(rates, key=lambda each: (-alike(each), -rates[each], each), default=())
    return tuple(Waveform(name=name, rate_hz=rate_hz) for name, rate_hz in usual)


def _same(one: Rates, other: Rates) -> bool:
    """Of machines with the same waveforms, in one order."""
    return all(same_rate(rate, others) for (_, rate), (_, others) in zip(one, other, strict=True))


def _at_another_rate(fitting: Mapping[str, Declaration], waveforms: Sequence[Waveform]) -> dict[str, str]:
    misfits = {name: rate_misfit(waveforms, declared.rates) for name, declared in fitting.items()}
    return {
        name: f"its windows have another rate than those of most machines: {misfit}"
        for name, misfit in misfits.items()
        if misfit
    }
