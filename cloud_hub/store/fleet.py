"""The fleet as people look at it: devices, machines by risk, alarms, what happened.

Read-only: everything a page or a table shows comes from here as frozen values,
so that no view writes SQL of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud_hub.errors import NotFoundError
from cloud_hub.store.database import Database, Row, load_queries

QUERIES = load_queries("cloud_hub.store", "fleet.sql")

Sites = list[str] | None  # None: every site

# Of a prediction, as the queries name them; each release has its own (see the view release_figure).
FIGURES = ("use_case", "release", "remaining_life", "lower", "upper", "anomaly", "faults", "chances")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRelease:
    """What one device runs for one use case."""

    use_case: str
    release: str
    state: str
    accepted_sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    name: str
    site: str
    zone: str  # IANA, of the site
    profile: str
    tags: list[str]
    added: datetime
    enrolled: datetime | None
    retired: datetime | None
    online: bool
    status_since: datetime | None
    status_reason: str
    born: datetime | None
    agent_version: str | None
    target: str | None
    last_batch: datetime | None
    last_live: datetime | None  # when one came that was not written while the device was catching up
    skew_s: float | None  # device time minus receive time at its last birth
    rejected: int  # messages and series that were not stored
    machines: list[str]
    resent: int  # batches that came more than once
    backlog: int  # batches that were written while the device was catching up
    gaps: int
    quarantined: int  # waiting in quarantine
    releases: tuple[RunningRelease, ...]
    certificate_ends: datetime | None  # real time; None where none is on record and good
    pins: dict[str, str]  # use cases for which it stays on what it runs, each with the reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The newest prediction of one use case for one machine; NaN never, None where there is none."""

    use_case: str
    release: str
    time: datetime
    remaining_life: float | None  # in the unit of the use case
    lower: float | None
    upper: float | None
    anomaly: float | None
    faults: Mapping[str, float]  # by output, the probability of each fault class

    @property
    def likeliest(self) -> tuple[str, float] | None:
        """The fault class that is likelier than all others and than none, with its probability."""
        name, chance = max(self.faults.items(), key=lambda each: each[1], default=("", 0.0))
        sound = 1.0 - sum(self.faults.values())
        return (name.removeprefix("fault_").replace("_", " "), chance) if chance > sound else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    name: str
    device: str
    site: str
    machine_class: str
    feature_set: str
    online: bool
    last_batch: datetime | None
    outlook: Outlook | None  # the most pressing one
    open_alarms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    id: int
    name: str
    unit: str
    kind: str
    rate_hz: float
    time: datetime | None  # of the latest value
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    id: int
    machine: str
    device: str
    use_case: str
    release: str
    opened: datetime
    closed: datetime | None
    severity: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    time: datetime
    kind: str
    detail: dict[str, Any]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What could not be kept: a span of time, or of sequences of an epoch."""

    device: str
    machine: str | None
    reason: str
    from_time: datetime | None
    to_time: datetime | None
    epoch: int | None
    first_sequence: int | None
    last_sequence: int | None
    noted: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    kind: str
    device: str | None
    detail: str
    opened: datetime
    closed: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    time: datetime
    kind: str  # "alarm", "alarm-closed", "report", "incident"
    subject: str
    text: str
    release: str


def devices(database: Database, *, sites: Sites = None) -> list[Device]:
    """Every device, or those at ``sites``, by name."""
    return [_device(row) for row in database.rows(QUERIES["devices"], {"name": None, "sites": sites})]


def device(database: Database, name: str) -> Device:
    """One device by name; ``NotFoundError`` where there is none."""
    return _device(_only(database.rows(QUERIES["devices"], {"name": name, "sites": None}), "device", name))


def machines(database: Database, *, sites: Sites = None) -> list[Machine]:
    """Every machine of a device in service, the soonest lower end of its remaining life first."""
    return [_machine(row) for row in database.rows(QUERIES["machines"], {"name": None, "sites": sites})]


def machine(database: Database, name: str) -> Machine:
    """One machine by name; ``NotFoundError`` where there is none."""
    return _machine(_only(database.rows(QUERIES["machines"], {"name": name, "sites": None}), "machine", name))


def signals(database: Database, machine: str) -> list[Signal]:
    """The signals of a machine with their latest values."""
    return [Signal(**row) for row in database.rows(QUERIES["signals"], {"machine": machine})]


def outlooks(database: Database, machine: str) -> list[Outlook]:
    """The newest prediction of each use case for a machine."""
    return [_outlook(row) for row in database.rows(QUERIES["latest_predictions"], {"machine": machine})]


def alarms(
    database: Database,
    machine: str | None = None,
    *,
    device: str | None = None,
    open_only: bool = False,
    most: int = 200,
) -> list[Alarm]:
    """Alarms, newest first, of one machine, of those of one device, or of all."""
    values = {"machine": machine, "device": device, "open_only": open_only, "most": most}
    return [Alarm(**row) for row in database.rows(QUERIES["alarms"], values)]


def labels(database: Database, machine: str) -> list[Label]:
    """What people and maintenance systems say happened to a machine, in order."""
    return [Label(**row) for row in database.rows(QUERIES["labels"], {"machine": machine})]


def gaps(
    database: Database, *, device: str | None = None, machine: str | None = None, most: int = 200
) -> list[Gap]:
    """What could not be kept, newest first."""
    values = {"device": device, "machine": machine, "size": most, "offset": 0}
    return [Gap(**row) for row in database.rows(QUERIES["gaps"], values)]


def incidents(
    database: Database,
    *,
    device: str | None = None,
    open_only: bool = True,
    most: int = 200,
    sites: Sites = None,
) -> list[Incident]:
    """What is wrong now, or was, with one device or all; newest first. What concerns none is at no site."""
    values = {"device": device, "open_only": open_only, "most": most, "sites": sites}
    return [Incident(**row) for row in database.rows(QUERIES["incidents"], values)]


def events(
    database: Database, since: datetime | None = None, *, most: int = 100, sites: Sites = None
) -> list[Event]:
    """What happened after ``since``, newest first."""
    values = {"since": since, "most": most, "sites": sites}
    return [Event(**row) for row in database.rows(QUERIES["events"], values)]


def _only(rows: list[Row], kind: str, name: str) -> Row:
    if not rows:
        raise NotFoundError(kind, name)
    return rows[0]


def _device(row: Row) -> Device:
    releases = tuple(RunningRelease(**release) for release in row["releases"])
    return Device(**{**row, "releases": releases})


def _machine(row: Row) -> Machine:
    fields = dict(row)
    time = fields.pop("predicted")
    prediction = {name: fields.pop(name) for name in FIGURES}
    outlook = _outlook({**prediction, "time": time}) if time is not None else None
    return Machine(**fields, outlook=outlook)


def _outlook(row: Row) -> Outlook:
    fields = dict(row)
    names, chances = fields.pop("faults") or (), fields.pop("chances") or ()
    return Outlook(**fields, faults=dict(zip(names, chances, strict=True)))
