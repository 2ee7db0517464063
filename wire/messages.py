"""The small messages beside batches: births, statuses, commit marks, commands.

Readers ignore keys they do not know and refuse messages that lack one they
need, so either side may be upgraded first.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from wire.errors import MessageError, defect
from wire.table import SignalTable

MOST_RANGES = 64
UNREADABLE = "unreadable"  # a command: the batch of these bytes will never be read; arguments {"sha256": hex}
WAVEFORM = "waveform"  # a command: send the next raw windows; arguments {"machine": name}
MOST_EPOCHS = 256  # a device tells of a few; more would only cost the hub an answer each


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochFloor:
    """What a device still holds of one epoch: sequences from ``floor`` up to below ``next``."""

    epoch: int
    floor: int
    next: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseState:
    """What runs for one use case on a device."""

    use_case: str
    accepted_sequence: int  # the highest directive accepted; 0: none
    release: str  # running; empty: none
    state: str = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What a device is and has, said once a connection."""

    profile: str
    target: str  # the profile's compile target
    agent_version: str
    time_us: int
    table: SignalTable
    epochs: tuple[EpochFloor, ...] = ()
    use_cases: tuple[UseCaseState, ...] = ()

    def to_json(self) -> bytes:
        return _canonical(asdict(self) | {"table": self.table.to_fields()})

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        fields = _object(payload, "birth")
        try:
            birth = cls(
                profile=str(fields["profile"]),
                target=str(fields["target"]),
                agent_version=str(fields["agent_version"]),
                time_us=int(fields["time_us"]),
                table=SignalTable.from_fields(fields["table"]),
                epochs=tuple(_epoch_floor(row) for row in fields["epochs"]),
                use_cases=tuple(_use_case_state(row) for row in fields["use_cases"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise MessageError(f"not a birth: {defect(error)}") from error
        if len(birth.epochs) > MOST_EPOCHS:
            raise MessageError(f"expected a birth of at most {MOST_EPOCHS} epochs, got {len(birth.epochs)}")
        return birth


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Whether a device is connected; the offline one is its last will."""

    online: bool
    since_us: int
    reason: str = ""

    def to_json(self) -> bytes:
        return _canonical(asdict(self))

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        fields = _object(payload, "status")
        try:
            return cls(
                online=bool(fields["online"]),
                since_us=int(fields["since_us"]),
                reason=str(fields.get("reason", "")),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise MessageError(f"not a status: {defect(error)}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Every sequence of ``epoch`` up to ``mark`` is settled, and so are the ranges beyond it."""

    epoch: int
    mark: int
    beyond: tuple[tuple[int, int], ...] = ()  # inclusive, ascending

    def to_json(self) -> bytes:
        return _canonical({"epoch": self.epoch, "mark": self.mark, "beyond": self.beyond[:MOST_RANGES]})

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        fields = _object(payload, "commit mark")
        try:
            beyond = tuple((int(first), int(last)) for first, last in fields["beyond"])
            marks = cls(epoch=int(fields["epoch"]), mark=int(fields["mark"]), beyond=beyond)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise MessageError(f"not a commit mark: {defect(error)}") from error
        if marks.mark < 0 or len(beyond) > MOST_RANGES or any(first > last for first, last in beyond):
            raise MessageError(f"expected a mark from 0 and ascending ranges, got {marks}")
        return marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What the hub asks a device to do once: "rebirth", "unreadable", "waveform" or "self-test"."""

    kind: str
    id: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        return _canonical({"kind": self.kind, "id": self.id, "arguments": dict(self.arguments)})

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        fields = _object(payload, "command")
        try:
            return cls(
                kind=str(fields["kind"]),
                id=str(fields.get("id", "")),
                arguments=dict(fields.get("arguments", {})),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise MessageError(f"not a command: {defect(error)}") from error


def _canonical(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def _object(payload: bytes, kind: str) -> dict[str, Any]:
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"not a {kind}: {error}") from error
    if not isinstance(fields, dict):
        raise MessageError(f"expected a {kind} as an object, got {type(fields).__name__}")
    return fields


def _epoch_floor(row: Mapping[str, Any]) -> EpochFloor:
    return EpochFloor(epoch=int(row["epoch"]), floor=int(row["floor"]), next=int(row["next"]))


def _use_case_state(row: Mapping[str, Any]) -> UseCaseState:
    return UseCaseState(
        use_case=str(row["use_case"]),
        accepted_sequence=int(row["accepted_sequence"]),
        release=str(row["release"]),
        state=str(row.get("state", "idle")),
    )
