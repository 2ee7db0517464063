"""Alarms, gaps and reports as protobuf messages, and back."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from wire import batch_pb2 as pb
from wire.batch import AlarmEvent, Event, GapEvent, ReportEvent
from wire.errors import NotABatchError, TooLargeError, UnknownSchemaError
from wire.frame import Limits

_ALARM_FIELDS = ("machine", "use_case", "release", "state", "severity", "message", "opened_us")
_GAP_FIELDS = ("reason", "machine", "from_us", "to_us", "epoch", "first_sequence", "last_sequence")
_REPORT_FIELDS = (
    "use_case", "directive_sequence", "state", "event", "reason", "release", "rollout", "correlation",
)  # fmt: skip


def to_message(event: Event) -> pb.Event:
    match event:
        case AlarmEvent():
            return pb.Event(time_us=event.time_us, alarm=_filled(pb.Alarm(), event, _ALARM_FIELDS))
        case GapEvent():
            return pb.Event(time_us=event.time_us, gap=_filled(pb.Gap(), event, _GAP_FIELDS))
        case ReportEvent():
            report = _filled(pb.Report(), event, _REPORT_FIELDS)
            report.evidence_json = json.dumps(event.evidence, sort_keys=True, separators=(",", ":"))
            return pb.Event(time_us=event.time_us, report=report)


def from_message(message: pb.Event) -> Event:
    match message.WhichOneof("kind"):
        case "alarm":
            return AlarmEvent(time_us=message.time_us, **_fields(message.alarm, _ALARM_FIELDS))
        case "gap":
            return GapEvent(time_us=message.time_us, **_fields(message.gap, _GAP_FIELDS))
        case "report":
            return ReportEvent(
                time_us=message.time_us,
                **_fields(message.report, _REPORT_FIELDS),
                evidence=_evidence(message.report.evidence_json),
            )
        case _:
            raise UnknownSchemaError("expected an alarm, a gap or a report, got an event of another kind")


def check_evidence(messages: Sequence[pb.Event], limits: Limits) -> None:
    """JSON takes many times its bytes once it is read: refused before, where there is too much of it."""
    found = sum(len(item.report.evidence_json) for item in messages if item.HasField("report"))
    if found > limits.evidence_bytes:
        raise TooLargeError(f"expected at most {limits.evidence_bytes} letters of evidence, got {found}")


def _evidence(text: str) -> dict[str, Any]:
    try:
        evidence = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise NotABatchError(f"report evidence is not JSON: {error}") from error
    if not isinstance(evidence, dict):
        raise NotABatchError(f"expected report evidence as an object, got {type(evidence).__name__}")
    return evidence


def _filled(message: Any, event: Event, names: Iterable[str]) -> Any:
    for name in names:
        setattr(message, name, getattr(event, name))
    return message


def _fields(message: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(message, name) for name in names}
