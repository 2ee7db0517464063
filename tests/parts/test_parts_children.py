"""Keeping processes running: the delay between starts, the lock, the ports."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cloud_hub.parts.children import (
    FIRST_DELAY,
    LONGEST_DELAY,
    SETTLED_SECONDS,
    Backoff,
    Child,
    Kept,
    stop_together,
)
from cloud_hub.parts.errors import AlreadyRunningError, PartError
from cloud_hub.parts.lock import locked
from cloud_hub.parts.places import fresh_log
from cloud_hub.parts.ports import choose_port
from cloud_hub.parts.processes import last_words, spawn


def python(code, log, **options):
    return spawn([sys.executable, "-c", code], log=log, **options)


def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_the_delay_doubles_up_to_its_bound_and_a_long_life_forgives():
    delays, backoff = [], Backoff()
    for _ in range(9):
        delays.append(backoff.delay)
        backoff = backoff.after(lived=1.0)
    assert delays[:4] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY, 8 * FIRST_DELAY]
    assert delays[-1] == LONGEST_DELAY
    assert backoff.after(lived=SETTLED_SECONDS) == Backoff()


def test_a_process_that_was_killed_is_started_again_and_its_end_is_told(tmp_path):
    log, said = tmp_path / "child.log", []
    child = Child(lambda: python("import time; print('last words', flush=True); time.sleep(60)", log))
    kept = Kept("worker", child, log=log, say=said.append)
    first = kept.start()
    until(lambda: "last words" in last_words(log))
    os.kill(first, signal.SIGKILL)
    until(lambda: kept.tend() or (kept.restarts == 1 and child.alive()))
    assert said == ["worker ended (last words); the next start is in 0.5 s"]
    child.stop()


def test_a_process_that_cannot_be_started_is_tried_again_without_ending_the_supervisor(tmp_path):
    said, attempts = [], []

    class Stubborn:
        pid = None

        def start(self):
            attempts.append(1)
            if len(attempts) == 2:
                raise PartError("no disk left")

        def alive(self):
            return len(attempts) > 2

        def stop(self): ...

    kept = Kept("postgres", Stubborn(), log=tmp_path / "none.log", say=said.append)
    kept.start()
    until(lambda: kept.tend() or len(attempts) == 3)
    assert said[1] == "postgres cannot be started: no disk left; the next start is in 1 s"


def test_a_process_that_ignores_sigterm_is_killed_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("cloud_hub.parts.children.PATIENCE", 0.3)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    log = tmp_path / "deaf.log"
    child = Child(lambda: python(code, log))
    child.start()
    until(lambda: last_words(log) == "deaf")
    child.stop()
    assert not child.alive()


def test_stopping_many_takes_as_long_as_the_slowest(tmp_path):
    slow = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit(0)));"
    )
    children = [
        Child(lambda log=tmp_path / f"{n}.log": python(slow + "print('up', flush=True); time.sleep(60)", log))
        for n in range(4)
    ]
    for child in children:
        child.start()
    until(lambda: all(last_words(tmp_path / f"{n}.log") == "up" for n in range(4)))
    began = time.monotonic()
    stop_together(children)
    assert time.monotonic() - began < 1.5


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does it")
def test_a_child_dies_with_the_process_that_started_it(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from cloud_hub.parts.processes import spawn;"
        "print(spawn([sys.executable, '-c', 'import time; time.sleep(60)'], log=Path(sys.argv[1])).pid, flush=True);"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", code, tmp_path / "log"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        child = int(starter.stdout.readline())
        starter.kill()
    until(lambda: not _runs(child))


def _runs(process):
    """Whether it does; a process that ended and that nobody waited for is still listed, as Z."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


def test_a_second_hub_on_one_state_directory_is_told_who_was_first(tmp_path):
    refused = pytest.raises(AlreadyRunningError, match=rf"with pid {os.getpid()}: stop it, or")
    with locked(tmp_path), refused, locked(tmp_path):
        pass
    with locked(tmp_path):  # and the lock goes with its holder
        pass


def test_a_part_keeps_its_port_and_gives_way_where_it_is_taken(tmp_path):
    note = tmp_path / "port"
    first = choose_port(note, listen="127.0.0.1", configured=0, setting="x")
    assert first < 32_768, "no outgoing connection may take it while the hub is down"
    assert choose_port(note, listen="127.0.0.1", configured=0, setting="x") == first
    with socket.create_server(("127.0.0.1", first)):
        assert choose_port(note, listen="127.0.0.1", configured=0, setting="x") != first
        with pytest.raises(PartError, match=f"port {first} is in use .* set web.port to another"):
            choose_port(note, listen="127.0.0.1", configured=first, setting="web.port")


def test_a_start_keeps_the_log_of_the_run_before(tmp_path):
    fresh_log(tmp_path, "web").write_text("first\n")
    fresh_log(tmp_path, "web").write_text("second\n")
    assert (tmp_path / "log" / "web.log.1").read_text() == "first\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2026-11-23 13:00:07.255 UTC [6506] FATAL:  no  space", "FATAL: no space"),
        ("2026-11-23T13:06:26: Error: Address already in use", "Error: Address already in use"),
        ("plain", "plain"),
        ("", "it said nothing"),
    ],
)
def test_last_words_leave_out_the_time_stamp(tmp_path, line, words):
    (tmp_path / "log").write_text(line + "\n")
    assert last_words(tmp_path / "log") == words
