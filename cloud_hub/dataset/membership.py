"""Which machines a use case can learn from: those whose devices declare exactly its signals, all the time.

One strange machine stops nobody: it is left out by name, with what is strange about it.
A machine whose signals or units changed is left out too, for nothing stored with a row
says under which of its signal tables it was made; the span after the change is a way out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from kernels import sets
from models.use_case import UseCase
from wire.table import Signal, SignalKind, SignalTable

Signature = tuple[tuple[str, str, str], ...]  # (name, unit, kind) in the order of the table
Kinds = Mapping[str, tuple[str, str]]  # (unit, kind) by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A machine whose rows belong into the dataset."""

    id: int
    name: str
    site: str
    device: int
    skew_s: float  # of its device's clock, as it was born last


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    members: tuple[Member, ...]  # sorted by name
    names: tuple[str, ...]  # of the features that all of them make
    units: tuple[str, ...]
    left_out: dict[str, str]  # why, by machine


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """One signal table of one machine."""

    feature_set: str
    scalars: tuple[Signal, ...]
    waveforms: tuple[Signal, ...]
    seen: datetime

    @property
    def signature(self) -> Signature:
        return tuple((signal.name, signal.unit, str(signal.kind)) for signal in self.scalars + self.waveforms)


def choose(rows: Iterable[dict[str, Any]], use_case: UseCase, *, since: datetime) -> Membership:
    """The members among ``rows``: one for each machine and signal table, sorted by machine, then ``seen``."""
    fitting: dict[str, tuple[Member, _Table]] = {}
    left_out: dict[str, str] = {}
    for name, group in groupby(rows, key=lambda row: row["name"]):
        told = list(group)
        tables = _relevant(told, since)
        reason = _reason(tables, use_case)
        if reason:
            left_out[name] = reason
        else:
            row = {key: told[0][key] for key in ("id", "name", "site", "device")}
            fitting[name] = Member(**row, skew_s=float(told[0]["skew_s"] or 0.0)), tables[-1]
    orders = Counter(table.signature for _, table in fitting.values())
    usual = min(orders, key=lambda order: (-orders[order], order), default=())
    for name in [name for name, (_, table) in fitting.items() if table.signature != usual]:
        del fitting[name]
        left_out[name] = "its signals come in another order than on most machines: order its table as theirs"
    names, units = _features(next(iter(fitting.values()))[1]) if fitting else ((), ())
    members = tuple(member for member, _ in fitting.values())
    return Membership(members=members, names=names, units=units, left_out=left_out)


def _relevant(rows: Sequence[dict[str, Any]], since: datetime) -> list[_Table]:
    """The tables that rows from ``since`` on may have been made under, the one in force first.

    Where the device went back to an earlier table, that is all of them: when it did is not kept.
    """
    newest, current = rows[-1]["hash"], rows[-1]["current"]
    hashes = {row["hash"] for row in rows}
    went_back = current in hashes and current != newest
    first = max((place for place, row in enumerate(rows) if row["seen"] <= since), default=0)
    return [_table(row) for row in (rows if went_back else rows[first:])]


def _table(row: dict[str, Any]) -> _Table:
    table = SignalTable.from_fields(row["body"])
    return _Table(
        feature_set=table.machines[row["place"]].feature_set,
        scalars=table.signals_of(row["place"], SignalKind.SCALAR),
        waveforms=table.signals_of(row["place"], SignalKind.WAVEFORM),
        seen=row["seen"],
    )


def _reason(tables: Sequence[_Table], use_case: UseCase) -> str:
    """Why a machine with these tables is left out; empty: it is not."""
    first = tables[0]
    for table in tables[1:]:
        if table.signature != first.signature:
            changed = _differences(dict(_kinds(first)), dict(_kinds(table))) or "their order"
            return (
                f"its signals changed, seen {table.seen:%Y-%m-%d %H:%M}: {changed}; which rows came before "
                "is not known: snapshot with --since after that, or give the changed machine another name"
            )
    last = tables[-1]
    if last.feature_set != use_case.feature_set:
        return f"expected features {use_case.feature_set!r}, its device makes {last.feature_set!r}"
    declared = {signal.name: (signal.unit, signal.kind) for signal in use_case.signals}
    differences = _differences(declared, dict(_kinds(last)))
    return f"its signals are not those of {use_case.name}: {differences}" if differences else ""


def _kinds(table: _Table) -> Iterable[tuple[str, tuple[str, str]]]:
    return ((name, (unit, kind)) for name, unit, kind in table.signature)


def _differences(expected: Kinds, found: Kinds) -> str:
    """In words: what is missing, what is too much, and which units or kinds differ."""
    told = []
    if missing := sorted(expected.keys() - found.keys()):
        told.append(f"without {_some(missing)}")
    if extra := sorted(found.keys() - expected.keys()):
        told.append(f"with {_some(extra)} besides")
    for name in sorted(expected.keys() & found.keys()):
        (unit, kind), (other_unit, other_kind) = expected[name], found[name]
        if unit != other_unit:
            told.append(f"{name} in {other_unit} instead of {unit}")
        if kind != other_kind:
            told.append(f"{name} a {other_kind} instead of a {kind}")
    return ", ".join(told)


def _features(table: _Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and units of the features a device makes under this table."""
    extractor = sets.of_signals(table.feature_set, table.scalars, table.waveforms)
    return tuple(extractor.names), tuple(extractor.units)


def _some(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
