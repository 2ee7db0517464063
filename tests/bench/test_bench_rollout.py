"""What ``andon bench rollout`` makes of what it measured, and that its meter reads what the kernel says."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from cloud_hub.rollout.bench import FULL, QUICK, Result, figures
from cloud_hub.rollout.bench_meter import Meter, Used
from cloud_hub.store.database import Database
from firmware_configs.figures import judge

LARGE = Result(
    devices=10_000,
    add_s=1.0,
    enrol_s=60.0,
    connect_s=60.0,
    rollout_s=170.0,
    right=10_000,
    reports=60_000,
    used=Used(hub_s=60.0, postgres_s=24.0, statements=30_000),
    most_bytes=300_000_000,
    reached=100,
    first_wave=100,
    halt_s=2.0,
)
SMALL = replace(LARGE, devices=1000, reports=6000, used=Used(hub_s=6.0, postgres_s=2.4, statements=3000))


def judged(large=LARGE, small=SMALL, *, quick=False) -> dict[str, bool | None]:
    rows = figures(small, large, QUICK if quick else FULL)
    made = [judge(row, quick=quick, full="andon bench rollout") for row in rows]
    return {figure.figure: figure.holds for figure in made}


def failing(**changes) -> set[str]:
    return {name for name, holds in judged(replace(LARGE, **changes)).items() if holds is False}


def test_a_good_run_holds_every_bar() -> None:
    found = judged()
    assert len(found) == 10
    assert set(found.values()) == {True, None}
    assert sum(holds is True for holds in found.values()) == 6


@pytest.mark.parametrize(
    ("changes", "figure"),
    [
        ({"rollout_s": 301.0}, "from all connected to done"),
        ({"right": 9_999}, "ended as drawn"),
        ({"most_bytes": 501_000_000}, "memory"),
        ({"used": Used(hub_s=90.0, postgres_s=24.0, statements=30_000)}, "processor time"),
        ({"used": Used(hub_s=60.0, postgres_s=24.0, statements=40_000)}, "statements"),
        ({"reached": 101}, "reached by a bad release"),
    ],
)
def test_what_misses_its_bar_is_said_to(changes, figure) -> None:
    (name,) = failing(**changes)
    assert figure in name


def test_a_quick_run_judges_what_no_scale_changes_and_nothing_else() -> None:
    found = judged(quick=True)
    assert {name for name, holds in found.items() if holds is not None} == {
        "devices that ended as drawn",
        "devices reached by a bad release",
    }


def test_memory_is_that_of_a_process_and_its_children(database: str) -> None:
    child = "held = b'x' * (40 << 20); print(flush=True); input()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with (
        Database(database, most=1) as opened,
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as parent,
    ):
        parent.stdout.readline()
        meter = Meter(opened, supervisor=os.getpid(), hub=[parent.pid], postgres=parent.pid)
        alone = Meter(opened, supervisor=os.getpid(), hub=[], postgres=parent.pid)
        assert meter.bytes() - alone.bytes() > 30 << 20
        parent.communicate(b"\n")
