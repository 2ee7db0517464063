import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from wire.errors import MessageError
from wire.messages import Birth, Command, EpochFloor, Marks, Status, UseCaseState
from wire.table import Machine, Signal, SignalKind, SignalTable

TABLE = SignalTable(
    machines=(Machine(name="pump-1", machine_class="motor-pump", feature_set="vibration-trend/1"),),
    signals=(
        Signal(id=0, machine=0, name="temperature", unit="Cel", rate_hz=1.0),
        Signal(id=1, machine=0, name="vibration_x", unit="m/s2", kind=SignalKind.WAVEFORM, rate_hz=12_800),
    ),
)
BIRTH = Birth(
    profile="generic-x86",
    target="x86_64-cpu",
    agent_version="0.1.0",
    time_us=5,
    table=TABLE,
    epochs=(EpochFloor(epoch=2**64 - 1, floor=1, next=3),),
    use_cases=(UseCaseState(use_case="motor-health", accepted_sequence=7, release="motor-health/1"),),
)


@pytest.mark.parametrize(
    ("parse", "sent"),
    [
        (Birth.from_json, BIRTH),
        (Status.from_json, Status(online=False, since_us=3, reason="power")),
        (Marks.from_json, Marks(epoch=2**64 - 1, mark=4, beyond=((6, 7), (9, 9)))),
        (Command.from_json, Command(kind="rebirth", id="1", arguments={"a": 1})),
    ],
)
def test_message_survives_a_round_trip_and_a_newer_writer(parse: Callable[[bytes], Any], sent: Any) -> None:
    assert parse(sent.to_json()) == sent
    assert parse(sent.to_json().replace(b"{", b'{"later":1,', 1)) == sent


def test_a_number_beyond_all_numbers_is_refused() -> None:
    with pytest.raises(MessageError):
        Birth.from_json(BIRTH.to_json().replace(b'"time_us":5', b'"time_us":1e999'))
    with pytest.raises(MessageError):
        Marks.from_json(b'{"epoch":1e999,"mark":1,"beyond":[]}')


@pytest.mark.parametrize("parse", [Birth.from_json, Status.from_json, Marks.from_json, Command.from_json])
@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b"null", b"\xff", b'{"epoch":"x"}', b"[" * 100_000])
def test_garbage_is_not_a_message(parse: Callable[[bytes], Any], payload: bytes) -> None:
    with pytest.raises(MessageError):
        parse(payload)


def test_equal_tables_have_one_hash_and_other_contents_another() -> None:
    again = SignalTable.from_json(TABLE.to_json())
    assert again.hash == TABLE.hash
    other = json.loads(TABLE.to_json())
    other["signals"][0]["unit"] = "[degF]"
    assert SignalTable.from_fields(other).hash != TABLE.hash


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("machines", 0, "name"), "a/b", "machine name"),
        (("signals", 0, "id"), 5, "its own index"),
        (("signals", 0, "machine"), 1, "machine below 1"),
        (("signals", 0, "machine"), -1, "machine below 1"),
        (("signals", 0, "unit"), "", "UCUM"),
        (("signals", 0, "name"), "+", "name like"),
        (("signals", 0, "rate_hz"), -1.0, "0 Hz or more"),
        (("signals", 0, "kind"), "smell", "not a signal table"),
    ],
)
def test_a_bad_table_is_refused_by_what_is_bad(path: tuple[Any, ...], value: Any, told: str) -> None:
    fields = json.loads(TABLE.to_json())
    place = fields
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(MessageError, match=told):
        SignalTable.from_fields(fields)


def test_one_machine_name_twice_is_refused() -> None:
    with pytest.raises(MessageError, match="once"):
        SignalTable(machines=(TABLE.machines[0], TABLE.machines[0]), signals=())


def test_one_signal_name_twice_on_a_machine_is_refused() -> None:
    twice = (TABLE.signals[0], replace(TABLE.signals[0], id=1))
    with pytest.raises(MessageError, match="twice"):
        SignalTable(machines=TABLE.machines, signals=twice)


def test_a_birth_of_thousands_of_epochs_is_refused() -> None:
    many = tuple(EpochFloor(epoch=number, floor=1, next=1) for number in range(300))
    with pytest.raises(MessageError, match="at most 256 epochs, got 300"):
        Birth.from_json(replace(BIRTH, epochs=many).to_json())


def test_a_mark_names_at_most_64_ranges() -> None:
    marks = Marks(epoch=1, mark=0, beyond=tuple((n, n) for n in range(2, 400, 2)))
    assert len(Marks.from_json(marks.to_json()).beyond) == 64
