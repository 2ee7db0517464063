"""What the page of a machine shows, as values for its templates: all of it, and what keeps current."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import request, url_for
from werkzeug.exceptions import BadRequest

from cloud_hub.console import moments
from cloud_hub.console.here import hub
from cloud_hub.console.machines import capture_view, happenings, spans
from cloud_hub.console.machines.spans import Span
from cloud_hub.console.plant import outlooks
from cloud_hub.console.plant.outlooks import Meaning
from cloud_hub.console.plant.ranking import meanings
from cloud_hub.flows.faults import fault_classes
from cloud_hub.flows.labelling import EVENTS
from cloud_hub.store import charts, fleet, verdicts
from cloud_hub.store.database import load_queries
from cloud_hub.store.fleet import Alarm, Label, Machine, Outlook, Signal

SQL = load_queries("cloud_hub.console.machines", "machine.sql")
MOST_SIGNALS = 8
SHOWN_AT_FIRST = 4
MOST_ALARMS = 50
MOST_MARKED = 500  # alarms of a span
MOST_HAPPENINGS = 100
SCALAR = "scalar"
LOG = "log"  # the form of a failure or maintenance
FILTERS = ("all", "open", "past", "not judged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An alarm with what people said of it."""

    alarm: Alarm
    rule: str
    around: Mapping[str, str]  # a link to the span that shows it
    stands: Label | None
    replaced: tuple[Label, ...]  # newest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form that was sent and did not do: shown again as it was typed."""

    name: str  # "log", or the alarm's number
    objection: str
    typed: Mapping[str, str]


def whole(name: str, form: Form | None = None) -> dict[str, Any]:
    """``NotFoundError`` for an unknown machine; a span that cannot be is said and the usual one shown."""
    current = now(name)
    span, objection = span_or_objection()
    signals = scalars(fleet.signals(hub().database, name))
    return (
        current
        | history(current["machine"], span, current["outlook"], form)
        | {
            "spans": spans.CHOICES,
            "own": _own(span),
            "objection": objection,
            "signals": signals,
            "chosen": chosen(signals),
            "unknown": unknown(signals),
            "left_out": left_out(signals),
            "gaps": fleet.gaps(hub().database, machine=name, most=20),
            "kinds": EVENTS,
            "newest": capture_view.newest(name),
            "number": capture_view.number,
        }
    )


def now(name: str) -> dict[str, Any]:
    """What is so at this moment."""
    database = hub().database
    machine = fleet.machine(database, name)
    told = {each.use_case: each for each in fleet.outlooks(database, name)}
    outlook = told.get(request.args.get("use_case", "")) or machine.outlook
    known = meanings(database)
    meaning = known.get(outlook.release, Meaning()) if outlook else Meaning()
    return {
        "machine": machine,
        "place": database.row(SQL["place"], {"machine": name}),
        "outlook": outlook,
        "outlooks": tuple(told.values()),
        "figure": "anomaly" if outlook and outlook.remaining_life is None else "life",
        "state": outlooks.state(machine, meaning),
        "meaning": meaning,
        "link": link(),
        "to": to,
    }


def history(
    machine: Machine, span: Span, outlook: Outlook | None, form: Form | None = None
) -> dict[str, Any]:
    """Alarms with their verdicts, and what happened in ``span``."""
    database, name = hub().database, machine.name
    alarms, labels = fleet.alarms(database, name), fleet.labels(database, name)
    judged = _judged(name, alarms, labels)
    open_then = happenings.of_alarms(alarms_within(name, span))
    happened = [*open_then, *happenings.of_labels(labels), *_told(name, span, outlook)]
    faults = fault_classes(hub().config.use_cases).by_class
    within = happenings.within(span, happened)
    return {
        "span": span,
        "later": span.later(hub().clock.now()),
        "which": which(),
        "filters": FILTERS,
        "alarms": [each for each in judged if _passes(each)][:MOST_ALARMS],
        "any_alarm": bool(alarms),
        "labels": [each for each in reversed(labels) if each.kind != "verdict" or "alarm" not in each.detail][
            :50
        ],
        "told": happenings.told,
        "happened": within[:MOST_HAPPENINGS],
        "more": max(len(within) - MOST_HAPPENINGS, 0),
        "faults": sorted(faults.get(machine.machine_class, ())),
        "form": form,
    }


def alarms_within(name: str, span: Span) -> list[Alarm]:
    """Alarms of a machine that were open in ``span``, newest first."""
    values = {"machine": name, "start": span.start, "end": span.end, "most": MOST_MARKED}
    return [Alarm(**row) for row in hub().database.rows(SQL["alarms"], values)]


def span_or_objection() -> tuple[Span, str]:
    """The span that the link asks for; else the usual one, and why."""
    moment = hub().clock.now()
    try:
        return Span.of(request.args, moment), ""
    except BadRequest as error:
        return Span.parse(spans.DEFAULT, moment), error.description or ""


def link() -> dict[str, Any]:
    """What of the link at hand its page's other links carry on."""
    kept = ("span", "from", "to", "zone", "use_case", "alarms")
    found: dict[str, Any] = {name: request.args[name] for name in kept if request.args.get(name)}
    return found | ({"signals": asked()} if asked() else {})


def to(**changes: Any) -> str:
    """The page at hand with other arguments; a span leaves nothing of the one before."""
    found = link()
    if "span" in changes:
        found = {name: value for name, value in found.items() if name not in ("from", "to", "zone")}
    return url_for("machine.show", name=(request.view_args or {})["name"], **found | changes)


def asked() -> list[str]:
    """Signals of the link: ``signals=a,b`` or ``signals=a&signals=b``."""
    texts = request.args.getlist("signals")
    return list(dict.fromkeys(name for text in texts for name in text.split(",") if name))


def scalars(signals: Iterable[Signal]) -> list[Signal]:
    return [each for each in signals if each.kind == SCALAR]


def chosen(signals: list[Signal]) -> list[str]:
    """The signals a link asks for; else the first few."""
    known = [each.name for each in signals]
    return [name for name in asked() if name in known][:MOST_SIGNALS] or known[:SHOWN_AT_FIRST]


def unknown(signals: list[Signal]) -> list[str]:
    """Those that a link asks for and the machine does not have."""
    known = {each.name for each in signals}
    return [name for name in asked() if name not in known]


def left_out(signals: list[Signal]) -> list[str]:
    """Those that a link asks for beyond what is drawn at once."""
    known = {each.name for each in signals}
    return [name for name in asked() if name in known][MOST_SIGNALS:]


def which() -> str:
    found = request.args.get("alarms", FILTERS[0])
    return found if found in FILTERS else FILTERS[0]


def _judged(name: str, alarms: list[Alarm], labels: list[Label]) -> list[Judged]:
    rules = {
        row["release"]: row["alarms"] or () for row in hub().database.rows(SQL["rules"], {"machine": name})
    }
    found = []
    for alarm in alarms:
        said = verdicts.on_alarm(labels, opened=alarm.opened, use_case=alarm.use_case)[::-1]
        rule = happenings.rule(alarm, rules.get(alarm.release, ()))
        stands = said[0] if said else None
        around = spans.around(alarm.opened, alarm.closed, hub().clock.now())
        found.append(Judged(alarm=alarm, rule=rule, around=around, stands=stands, replaced=tuple(said[1:])))
    return found


def _passes(judged: Judged) -> bool:
    return {
        "all": True,
        "open": judged.alarm.closed is None,
        "past": judged.alarm.closed is not None,
        "not judged": judged.stands is None,
    }[which()]


def _told(name: str, span: Span, outlook: Outlook | None) -> list[happenings.Happening]:
    """By predictions and gaps."""
    database = hub().database
    use_case = outlook.use_case if outlook else ""
    predicted = charts.predictions(database, name, use_case, span.start, span.end)
    gaps = charts.gaps(database, name, span.start, span.end)
    return [*happenings.of_releases(predicted), *happenings.of_gaps(gaps)]


def _own(span: Span) -> dict[str, str]:
    """The fields of an own span: as they were typed, else the span that is shown."""
    zone = request.args.get("zone") or moments.UTC_NAME
    typed = request.args.get("from"), request.args.get("to")
    if request.args.get("span") == spans.OWN and any(typed):
        return {"from": typed[0] or "", "to": typed[1] or "", "zone": zone}
    shown = [moments.written(each, moments.UTC_NAME) for each in (span.start, span.end)]
    return {"from": shown[0], "to": shown[1], "zone": moments.UTC_NAME}
