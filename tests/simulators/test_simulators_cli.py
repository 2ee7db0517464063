"""``andon sim`` as a process: one ready line, a clean stop, a truthful count, and sentences for mistakes."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from wire.feed import End, FeedReader, FeedWriter, Hello, Open, Reading, connect, to_bytes

ANDON = [sys.executable, "-m", "andon", "sim"]
CLOCK = "2025-01-01T00:00:00Z,1000000,1750000000.0"
MACHINE = (
    "machine",
    "--machines-per-device",
    "2",
    "--clock",
    CLOCK,
    "--life-days",
    "5",
    "--seed",
    "4",
    "--json",
)


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = subprocess.Popen(
        [*ANDON, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            yield process, json.loads(line)
        finally:
            process.kill()


def read(address: str, device: str, position: int, count: int) -> list[Reading | End]:
    with closing(connect(address, timeout_s=20)) as sock:
        FeedWriter(sock).send(Open(source=device, position=position))
        reader = FeedReader(sock)
        with closing(reader._file):
            assert isinstance(reader.receive(), Hello)
            return [
                frame
                for frame in islice(iter(reader.receive, None), count)
                if isinstance(frame, Reading | End)
            ]


def failing(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ANDON, *arguments], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_machines_serve_count_and_stop(state_root: Path, stop: signal.Signals) -> None:
    truth = state_root / "truth"
    places = ("--devices", "sim-1,sim-2", "--socket-dir", str(state_root / "feeds"), "--truth", str(truth))
    with running(*MACHINE, *places) as (process, ready):
        assert ready["machines"]["sim-2"] == ["sim-2-pump-1", "sim-2-pump-2"]
        frames = read(ready["addresses"]["sim-1"], "sim-1", 0, 700)
        process.send_signal(stop)
        output, errors = process.communicate(timeout=15)
        assert (process.returncode, output) == (0, "")
        assert "Traceback" not in errors
    produced = json.loads((truth / "produced.json").read_text())
    assert produced["sim-1"]["position"] >= frames[-1].position
    assert produced["sim-1"]["samples"] == 5 * produced["sim-1"]["readings"]
    assert produced["sim-2"] == {"position": 0, "readings": 0, "samples": 0}
    lives = [json.loads(line) for line in (truth / "failures.jsonl").read_text().splitlines()]
    assert {life["machine"] for life in lives} == {f"sim-{d}-pump-{n}" for d in (1, 2) for n in (1, 2)}
    assert not list((state_root / "feeds").iterdir())


def test_a_source_killed_and_started_again_goes_on_with_the_same_readings(state_root: Path) -> None:
    places = ("--devices", "sim-1", "--tcp", "127.0.0.1", "--truth", str(state_root))
    streams = []
    for _start in range(2):
        with running(*MACHINE, *places) as (process, ready):
            streams.append(read(ready["addresses"]["sim-1"], "sim-1", 40, 100))
            process.kill()
    assert [to_bytes(frame) for frame in streams[0]] == [to_bytes(frame) for frame in streams[1]]


def test_the_log_book_of_machines_can_be_asked_for(state_root: Path) -> None:
    places = ("--devices", "sim-1", "--tcp", "127.0.0.1", "--truth", str(state_root))
    with running(*MACHINE, *places):
        asked = failing("truth", "--truth", str(state_root), "--until", "2025-02-01T00:00:00Z", "--json")
    assert asked.returncode == 0, asked.stderr
    book = [json.loads(line) for line in asked.stdout.splitlines()]
    assert book
    assert {line["kind"] for line in book} <= {"failure", "maintenance"}
    assert all(line["time"] <= "2025-02-01" and line["machine"].startswith("sim-1-pump-") for line in book)


def test_a_truth_of_another_seed_is_refused(state_root: Path) -> None:
    places = ("--devices", "sim-1", "--tcp", "127.0.0.1", "--truth", str(state_root))
    with running(*MACHINE, *places):
        pass
    refused = failing(*MACHINE, *places, "--seed", "5")
    assert refused.returncode == 1
    assert "expected seed 4, got 5" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_replayed_table_comes_over_the_feed_and_ends(state_root: Path) -> None:
    table = state_root / "mill.csv"
    table.write_text("time,power\n2026-01-01T00:00:00,1\n2026-01-01T00:00:01,bad\n2026-01-01T00:00:02,3\n")
    arguments = ("--devices", "sim-1", "--tcp", "127.0.0.1", "--truth", str(state_root / "truth"))
    arguments += ("--unit", "power=kW", "--json")
    with running("replay", "csv", str(table), *arguments) as (process, ready):
        frames = read(ready["addresses"]["sim-1"], "sim-1", 0, 3)
        process.terminate()
        _output, errors = process.communicate(timeout=15)
    assert [frame.position for frame in frames] == [1, 2, 2]
    assert isinstance(frames[-1], End)
    assert (ready["bad_rows"], ready["missing_values"], ready["last_positions"]) == (0, 1, {"sim-1": 2})
    assert "left out 0 bad rows and 1 missing values" in errors
    produced = json.loads((state_root / "truth" / "produced.json").read_text())
    assert produced["sim-1"] == {"position": 2, "readings": 2, "samples": 2}


def test_an_agent_beyond_the_end_of_a_recording_is_refused(state_root: Path) -> None:
    table = state_root / "mill.csv"
    table.write_text("time,power\n2026-01-01T00:00:00,1\n")
    arguments = ("--devices", "sim-1", "--tcp", "127.0.0.1", "--truth", str(state_root / "truth"), "--json")
    with running("replay", "csv", str(table), *arguments) as (process, ready):
        with closing(connect(ready["addresses"]["sim-1"], timeout_s=10)) as sock:
            FeedWriter(sock).send(Open(source="sim-1", position=9))
            assert sock.recv(1) == b""
        process.terminate()
        _output, errors = process.communicate(timeout=15)
    assert "expected a position of at most 1, got 9" in errors


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("machine", "--devices", "a", "--truth", "T"), 1, "either --socket-dir or --tcp"),
        (("machine", "--devices", "a,a", "--truth", "T", "--tcp", "127.0.0.1"), 1, "different device names"),
        (
            ("machine", "--devices", "a", "--truth", "T", "--tcp", "127.0.0.1", "--clock", "soon"),
            1,
            "for a clock",
        ),
        (
            ("machine", "--devices", "a", "--truth", "T", "--tcp", "127.0.0.1", "--life-days", "0"),
            1,
            "median life",
        ),
        (("machine", "--truth", "T"), 2, "--devices"),
        (("replay", "tape", "x", "--devices", "a", "--truth", "T"), 2, "tape"),
        (("replay", "csv", "x", "--devices", "a", "--truth", "T", "--tcp", "127.0.0.1"), 1, "no such file"),
        (("truth", "--truth", "T", "--until", "2026-01-01"), 1, "found none"),
        (("spoil", "missing.onnx", "--out", "bad.onnx"), 1, "expected an ONNX model"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    wrong = failing(*[str(tmp_path / word) if word == "T" else word for word in arguments])
    assert wrong.returncode == status
    assert sentence in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_socket_path_too_long_for_the_system_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / ("very-long-" * 10)
    wrong = failing(*MACHINE, "--devices", "a", "--socket-dir", str(folder), "--truth", str(tmp_path / "t"))
    assert wrong.returncode == 1
    assert "cannot listen on unix:" in wrong.stderr
    assert "Traceback" not in wrong.stderr
