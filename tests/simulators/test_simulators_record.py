"""``andon sim record``: what agents would get, byte for byte, and no word of the truth."""

import io
import json
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulators.cli import sim_app
from simulators.errors import SettingError
from simulators.feed_server import FeedServer
from simulators.plant import Plant
from simulators.recorder import record
from simulators.schedule import plan
from wire.clock import Clock
from wire.feed import FeedReader, FeedWriter, Hello, Open, Reading, connect, to_bytes

BEGIN_US = 1_767_225_600_000_000
HOUR_US = 3_600_000_000
REAL = Clock.real()


def plant(devices: tuple[str, ...] = ("sim-1",)) -> Plant:
    schedule = plan(REAL, begin_us=BEGIN_US, interval_s=3600, window_s=7200)
    return Plant(seed=5, devices=devices, machines_per_device=2, life_days=4, schedule=schedule)


def andon(*arguments: str) -> object:
    return CliRunner().invoke(sim_app, ["record", *arguments], catch_exceptions=False)


def test_a_recording_holds_the_bytes_that_an_agent_gets(state_root: Path) -> None:
    made, out = plant(), io.BytesIO()
    found = record(made.sources(), out, until_us=BEGIN_US + 40 * HOUR_US)
    server = FeedServer(made.sources(), REAL, tell=print)
    (address,) = server.start({"sim-1": f"unix:{state_root / 'sim-1'}.sock"}).values()
    try:
        with closing(connect(address, timeout_s=20)) as sock:
            FeedWriter(sock).send(Open(source="sim-1", position=0))
            reader = FeedReader(sock)
            with closing(reader._file):
                served = [to_bytes(frame) for frame in islice(iter(reader.receive, None), found.readings + 1)]
    finally:
        server.stop()
    recorded = out.getvalue()
    opening = to_bytes(Open(source="sim-1", position=0))
    assert found.readings > 70
    assert recorded[len(opening) :].startswith(b"".join(served))
    assert len(recorded) - len(opening) - len(b"".join(served)) < 16  # the end of the feed


def test_a_recording_ends_at_its_time_and_says_so_of_every_device() -> None:
    out = io.BytesIO()
    record(plant(("sim-1", "sim-2")).sources(), out, until_us=BEGIN_US + 3 * HOUR_US)
    stream = out.getvalue()
    for device in ("sim-1", "sim-2"):
        assert to_bytes(Open(source=device, position=0)) in stream
    assert stream.count(to_bytes(Hello(table=plant().sources()["sim-1"].table, replayable=True))) == 1


def test_the_truth_of_a_recording_goes_to_its_own_directory(tmp_path: Path) -> None:
    out = tmp_path / "pumps.rec"
    places = ("--out", str(out), "--truth", str(tmp_path / "truth"), "--json")
    result = andon("machine", "--days", "12", "--life-days", "4", "--interval", "7200", *places)
    counts = json.loads(result.stdout)
    assert counts["machines"] == 2
    assert counts["windows"] == 2 * counts["readings"]
    labels = [json.loads(line) for line in (tmp_path / "truth" / "labels.jsonl").read_text().splitlines()]
    assert {line["kind"] for line in labels} == {"failure", "maintenance"}
    assert (tmp_path / "truth" / "failures.jsonl").read_text()


def test_recorded_data_is_recorded_with_its_labels_apart(tmp_path: Path) -> None:
    (tmp_path / "plant.csv").write_text("time,flow,level\n2026-01-01,1,2\n2026-01-02,3,4\n")
    out = tmp_path / "plant.rec"
    places = ("--out", str(out), "--truth", str(tmp_path / "truth"), "--json")
    result = andon("replay", "csv", str(tmp_path / "plant.csv"), "--begin", "2026-03-01T00:00:00Z", *places)
    assert json.loads(result.stdout) == {"machines": 1, "readings": 2, "windows": 0}
    first = Reading(position=1, machine=0, time_us=1_772_323_200_000_000, signals=(0, 1), values=(1.0, 2.0))
    assert to_bytes(first) in out.read_bytes()
    assert (tmp_path / "truth" / "labels.jsonl").read_text() == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--days", "0"), "--days above 0"),
        (("--begin", "soon"), "expected a time like"),
        (("--interval", "0"), "--interval between"),
    ],
)
def test_a_recording_that_makes_no_sense_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(SettingError, match=sentence):
        andon("machine", "--out", str(tmp_path / "x"), "--truth", str(tmp_path / "truth"), *arguments)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    out = tmp_path / "nowhere" / "x.rec"
    with pytest.raises(SettingError, match="cannot write the recording"):
        andon("machine", "--out", str(out), "--truth", str(tmp_path / "truth"), "--days", "1")
