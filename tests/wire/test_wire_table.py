"""A machine may declare its bearing: tables without one are what they were, and numbers that are none stop nobody."""

import hashlib
import json
import socket
from dataclasses import replace
from typing import Any

import pytest

from wire.errors import MessageError
from wire.feed import FeedReader, FeedWriter, Hello
from wire.messages import Birth
from wire.table import Bearing, Machine, Signal, SignalTable

NAN, INFINITY = float("nan"), float("inf")
# As written before machines could declare anything more; devices and the hub know tables by its hash.
OLD = (
    b'{"machines":[{"feature_set":"vibration-trend/1","machine_class":"motor-pump","name":"pump-1"}],'
    b'"signals":[{"id":0,"kind":"scalar","machine":0,"name":"speed","rate_hz":1.0,"unit":"1/min"}]}'
)
OLD_HASH = "752dc1564e366b1b0ee410d542a595ecf3394036bf2d631c633598b6f22fabc4"
SMALL = Bearing(balls=8, ball_mm=6.75, pitch_mm=28.5)


def table(bearing: Bearing | None = SMALL) -> SignalTable:
    plain = SignalTable.from_json(OLD)
    return replace(plain, machines=(replace(plain.machines[0], bearing=bearing),))


def strictly(payload: bytes) -> Any:
    """As databases and other languages read it: NaN is no JSON."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(payload, parse_constant=refuse)


def test_a_table_of_before_keeps_its_bytes_and_its_hash() -> None:
    assert SignalTable.from_json(OLD).to_json() == OLD
    assert SignalTable.from_json(OLD).hash.hex() == hashlib.sha256(OLD).hexdigest() == OLD_HASH
    assert table(None).hash.hex() == OLD_HASH


def test_a_declared_bearing_is_another_table() -> None:
    assert SignalTable.from_json(table().to_json()) == table()
    assert table().hash.hex() != OLD_HASH
    assert table(replace(SMALL, contact_deg=10.0)).hash != table().hash
    whole = replace(SMALL, balls=8.0, contact_deg=0)
    assert table(whole).hash == table().hash, "8 and 8.0 are one number of balls"


def test_a_bearing_reaches_the_agent_with_the_table_and_the_hub_with_the_birth() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        FeedWriter(ours).send(Hello(table=table(), replayable=True))
        found = FeedReader(theirs).receive()
    assert isinstance(found, Hello)
    birth = Birth(profile="p", target="t", agent_version="1", time_us=5, table=found.table)
    assert Birth.from_json(birth.to_json()).table.hash == table().hash


def test_a_contact_angle_that_nobody_tells_is_none() -> None:
    fields = table().to_fields()
    del fields["machines"][0]["bearing"]["contact_deg"]
    assert SignalTable.from_fields(fields).hash == table().hash


@pytest.mark.parametrize("wrong", [NAN, INFINITY, -INFINITY, None])
def test_a_number_that_is_none_is_told_as_such_and_refuses_no_table(wrong: float | None) -> None:
    strange = table(replace(SMALL, ball_mm=wrong))
    payload = strange.to_json()
    assert strictly(payload)["machines"][0]["bearing"]["ball_mm"] is None
    birth = Birth(profile="p", target="t", agent_version="1", time_us=5, table=strange)
    assert strictly(birth.to_json())["table"] == strictly(payload)
    again = SignalTable.from_json(payload)
    assert (again.machines[0].bearing, again.hash) == (replace(SMALL, ball_mm=None), strange.hash)


@pytest.mark.parametrize("word", [b"NaN", b"1e999", b"null"])
def test_a_number_that_is_none_is_read_however_it_is_spelt(word: bytes) -> None:
    found = SignalTable.from_json(table().to_json().replace(b'"pitch_mm":28.5', b'"pitch_mm":' + word))
    assert found.machines[0].bearing == replace(SMALL, pitch_mm=None)
    assert found == SignalTable.from_json(found.to_json())


@pytest.mark.parametrize("wrong", ["6205", [8, 6.75, 28.5], 6205, {"balls": 8}, {}])
def test_what_is_no_bearing_is_no_table(wrong: Any) -> None:
    fields = table().to_fields()
    fields["machines"][0]["bearing"] = wrong
    with pytest.raises(MessageError, match="not a signal table"):
        SignalTable.from_fields(fields)


def test_a_signal_of_whole_hertz_has_the_same_table() -> None:
    machine = Machine(name="pump-1", machine_class="motor-pump", feature_set="vibration-trend/1")
    speed = Signal(id=0, machine=0, name="speed", unit="1/min", rate_hz=1)
    assert SignalTable(machines=(machine,), signals=(speed,)).to_json() == OLD
