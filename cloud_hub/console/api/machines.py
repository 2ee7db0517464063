"""Machines by risk, and one of them: what is foreseen, what it says, what happened to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from flask import current_app
from pydantic import Field

from cloud_hub.console import reach
from cloud_hub.console.api import paging
from cloud_hub.console.api.asked import Text
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.here import hub, seen_sites
from cloud_hub.console.machines import machine_view
from cloud_hub.console.plant import outlooks
from cloud_hub.console.plant.outlooks import Meaning
from cloud_hub.console.plant.ranking import Ranking, meanings
from cloud_hub.console.plant.risk import Risk
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import fleet
from cloud_hub.store.database import load_queries
from cloud_hub.store.epochs import from_store
from cloud_hub.store.fleet import Machine, Outlook

SQL = load_queries("cloud_hub.console.api", "machines.sql")

State = Literal["alarm", "watch", "silent", "healthy", "no prediction"]
Kind = Literal["failure", "maintenance", "verdict"]


class MachinesAsked(Paging):
    site: Text = ""
    machine_class: Annotated[Text, Field(alias="class")] = ""
    state: State | None = None
    text: Annotated[Text, Field(description="Of the name of the machine or of its device.")] = ""


class AlarmsOf(Paging):
    which: Literal["all", "open", "closed"] = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedMachine:
    """A machine and what its most pressing prediction means: lives are in ``unit`` (UCUM).

    ``threshold`` is the life below which its release raises an alarm, ``margin`` the soonest end of its life
    over that; ``silence`` says why nobody knows how it is now.
    """

    name: str
    device: str
    site: str
    machine_class: str
    feature_set: str
    online: bool
    last_batch: datetime | None
    open_alarms: int
    state: State
    silence: str
    margin: float | None
    unit: str
    threshold: float | None
    outlook: Outlook | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTold:
    """With its latest value; rates in Hz, 0 where nobody said."""

    name: str
    unit: str  # UCUM
    kind: str
    rate_hz: float
    time: datetime | None
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineTold:
    """One machine; ``outlooks`` has the newest prediction of each use case."""

    machine: RankedMachine
    zone: str  # IANA, of its site
    added: datetime
    outlooks: tuple[Outlook, ...]
    signals: tuple[SignalTold, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmTold:
    """``closed`` is null while it is open; what people say of it stands among the labels of its machine."""

    id: int
    machine: str
    device: str
    site: str
    use_case: str
    release: str
    opened: datetime
    closed: datetime | None
    severity: float | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTold:
    """What somebody said happened at ``time``; it was ``added`` to the store later."""

    time: datetime
    kind: Kind
    detail: dict[str, Any]
    source: str
    added: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GapTold:
    """What could not be kept: a span of time, or of sequences of an epoch (a 64-bit number, as text)."""

    device: str
    machine: str | None
    reason: str
    from_time: datetime | None
    to_time: datetime | None
    epoch: str | None
    first_sequence: int | None
    last_sequence: int | None
    noted: datetime


@operation("GET", "/machines", Permission.SEE)
def machines(query: MachinesAsked) -> Page[RankedMachine]:
    """Machines of devices in service, those that need someone first."""
    ranking: Ranking = current_app.extensions["ranking"]
    seen = seen_sites()
    found = [each for each in ranking.read() if seen is None or each.machine.site in seen]
    page = paging.cut(query, [each for each in found if _matches(each, query)])
    return paging.told(query, [_ranked(each) for each in page.items], page.total)


@operation("GET", "/machines/<name>", Permission.SEE, of=reach.machine)
def machine(name: str) -> MachineTold:
    """One machine: how it is, what is foreseen, its signals with their latest values."""
    database = hub().database
    found = fleet.machine(database, name)
    place = database.row(machine_view.SQL["place"], {"machine": name})
    assert place is not None  # its device is at a site
    ranking: Ranking = current_app.extensions["ranking"]
    risk = next((each for each in ranking.read() if each.machine.name == name), None)
    return MachineTold(
        machine=_ranked(risk) if risk else _unranked(found, meanings(database)),
        zone=place["zone"],
        added=place["added"],
        outlooks=tuple(fleet.outlooks(database, name)),
        signals=tuple(
            SignalTold(
                name=each.name,
                unit=each.unit,
                kind=each.kind,
                rate_hz=each.rate_hz,
                time=each.time,
                value=each.value,
            )
            for each in fleet.signals(database, name)
        ),
    )


@operation("GET", "/machines/<name>/alarms", Permission.SEE, of=reach.machine)
def machine_alarms(name: str, query: AlarmsOf) -> Page[AlarmTold]:
    """Alarms of a machine, newest first."""
    values = {"machine": name, "which": query.which, "site": "", "use_case": "", "sites": None}
    return paging.looked_up(query, SQL["alarms"], values, lambda row: AlarmTold(**row))


@operation("GET", "/machines/<name>/labels", Permission.SEE, of=reach.machine)
def machine_labels(name: str, query: Paging) -> Page[LabelTold]:
    """What people and maintenance systems say happened to a machine, newest first."""
    return paging.looked_up(query, SQL["labels"], {"machine": name}, lambda row: LabelTold(**row))


@operation("GET", "/machines/<name>/gaps", Permission.SEE, of=reach.machine)
def machine_gaps(name: str, query: Paging) -> Page[GapTold]:
    """What of a machine, or of its whole device, could not be kept, newest first."""
    return paging.looked_up(query, fleet.QUERIES["gaps"], {"machine": name, "device": None}, gap)


def gap(row: Mapping[str, Any]) -> GapTold:
    epoch = row["epoch"]
    return GapTold(**{**row, "epoch": None if epoch is None else str(from_store(epoch))})


def _matches(each: Risk, query: MachinesAsked) -> bool:
    found, text = each.machine, query.text.casefold()
    return (
        query.site in ("", found.site)
        and query.machine_class in ("", found.machine_class)
        and query.state in (None, each.state)
        and (text in found.name.casefold() or text in found.device.casefold())
    )


def _ranked(each: Risk) -> RankedMachine:
    found: Machine = each.machine
    return RankedMachine(
        name=found.name,
        device=found.device,
        site=found.site,
        machine_class=found.machine_class,
        feature_set=found.feature_set,
        online=found.online,
        last_batch=found.last_batch,
        open_alarms=found.open_alarms,
        state=each.state,  # type: ignore[arg-type]  # of risk.STATES, as the type says
        silence=each.silence,
        margin=each.margin,
        unit=each.meaning.unit,
        threshold=each.meaning.threshold,
        outlook=found.outlook,
    )


def _unranked(found: Machine, known: Mapping[str, Meaning]) -> RankedMachine:
    """Of a device that is retired, or of one that came this moment."""
    meaning = known.get(found.outlook.release, Meaning()) if found.outlook else Meaning()
    state = outlooks.state(found, meaning)
    silence = "" if found.online else "its device is offline"
    return _ranked(Risk(machine=found, meaning=meaning, state=state, margin=None, silence=silence))
