"""The embedded PostgreSQL: it starts, starts again whatever happened, and keeps what was committed."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress

import psycopg
import pytest

from cloud_hub.parts.errors import PartError
from cloud_hub.parts.places import OUTSIDE, Places, in_use, orphans, sweep
from cloud_hub.parts.postgres import Postgres


@pytest.fixture
def server(state_root):
    made = Postgres(state_root / "hub", ephemeral=True)
    yield made
    made.stop()
    shutil.rmtree(state_root / "hub")
    sweep()


def numbers(conninfo):
    with psycopg.connect(conninfo) as connection:
        return [row[0] for row in connection.execute("SELECT n FROM kept ORDER BY n")]


def keep(conninfo, number):
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (%s)", (number,))


def test_committed_rows_survive_a_stop_and_a_second_start(server, state_root):
    keep(server.start(), 1)
    server.stop()
    again = Postgres(state_root / "hub", ephemeral=True)
    assert numbers(again.start()) == [1]
    again.stop()


def test_committed_rows_survive_sigkill_of_every_server_process(server, state_root):
    conninfo = server.start()
    keep(conninfo, 1)
    for process in in_use(server._data):
        with suppress(ProcessLookupError):  # one that waits for another ends with it
            os.kill(process, signal.SIGKILL)
    server.stop()
    again = Postgres(state_root / "hub", ephemeral=True)
    assert numbers(again.start()) == [1]
    again.stop()


def test_a_server_whose_starter_was_killed_ends_and_a_second_start_finds_its_rows(server, state_root):
    script = (
        "import sys, time; from pathlib import Path; from cloud_hub.parts.postgres import Postgres;"
        "print(Postgres(Path(sys.argv[1]), ephemeral=True).start(), flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", script, state_root / "hub"], stdout=subprocess.PIPE, text=True
    )
    with starter:
        keep(starter.stdout.readline().strip(), 1)
        starter.kill()
    assert numbers(server.start()) == [1]


def test_a_stale_pid_file_that_names_a_live_stranger_does_not_block_the_start(server):
    keep(server.start(), 1)
    server.stop()
    (server._data / "postmaster.pid").write_text(f"{os.getpid()}\n{server._data}\n")
    assert numbers(server.start()) == [1]


def test_nothing_listens_on_the_network_and_the_socket_is_private(server):
    with psycopg.connect(server.start()) as connection:
        shown = connection.execute("SELECT current_setting('listen_addresses')").fetchone()
    assert shown == ("",)
    assert stat.S_IMODE(server._socket.stat().st_mode) == 0o700


def test_what_was_committed_is_synced(server):
    with psycopg.connect(server.start()) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute("SELECT current_setting(%s)", (setting,)).fetchone() == ("on",)


def test_a_long_state_directory_still_gets_a_socket(state_root):
    places = Places(state_root / ("long" * 25), ephemeral=True)
    directory = places.socket_directory(None)
    assert len(os.fsencode(directory / ".s.PGSQL.5432")) <= 100
    assert places.socket_directory(None) == directory


def test_files_of_another_major_version_are_refused_with_the_remedy(server):
    server.start()
    server.stop()
    (server._data / "PG_VERSION").write_text("9\n")
    with pytest.raises(PartError, match="written by PostgreSQL 9, the installed one is"):
        server.start()


def test_a_server_that_cannot_start_says_why_in_one_sentence(server):
    server.start()
    server.stop()
    broken = server._data / "postgresql.conf"
    broken.write_text("no_such_setting = 1\n")
    with pytest.raises(PartError, match="no_such_setting"):
        server.start()


def test_a_killed_initialisation_is_begun_anew(server):
    (server._data.parent / "data.new").mkdir()
    (server._data.parent / "data.new" / "PG_VERSION").write_text("18\n")
    keep(server.start(), 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's parts keep files outside of the state directory")
def test_only_ephemeral_orphans_are_swept(state_root):
    for name, ephemeral in (("kept", False), ("swept", True)):
        Places(state_root / name, ephemeral=ephemeral)
    base = {
        name: OUTSIDE / (state_root / name / "parts" / "instance").read_text() for name in ("kept", "swept")
    }
    shutil.rmtree(state_root / "kept")
    shutil.rmtree(state_root / "swept")
    assert base["kept"] in orphans()
    sweep()  # a test beside this one may sweep as well
    assert (base["kept"].exists(), base["swept"].exists()) == (True, False)
    shutil.rmtree(base["kept"])


def test_starting_is_quick_enough_for_a_demo(server):
    began = time.monotonic()
    server.start()
    assert time.monotonic() - began < 30
