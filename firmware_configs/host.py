"""What this host can do, found by trying: the checks that devices and hubs share, and how they are shown.

A check never raises and never guesses: it says what it found, and where something is missing, what to do.
"""

import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

WANTED_FILES = 4096
SYNCS = 50
SLOW_SYNCS = 100  # a second; group commit of the outbox and of the database wait for each


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at; ``required`` means that Andon cannot do its work here without it."""

    name: str
    state: State
    found: str
    remedy: str = ""
    required: bool = False


def healthy(checks: Iterable[Check]) -> bool:
    """Whether everything required is there."""
    return all(check.state is not State.MISSING for check in checks if check.required)


def as_json(checks: Iterable[Check]) -> str:
    return json.dumps([asdict(check) for check in checks], indent=2)


def as_text(checks: Iterable[Check]) -> str:
    """A line for each check, its remedy below it."""
    lines = []
    for check in checks:
        lines.append(f"{check.state:8} {check.name:22} {check.found}")
        if check.remedy:
            lines.append(f"{'':31} -> {check.remedy}")
    return "\n".join(lines)


def checks(*, quick: bool) -> list[Check]:
    """What every host of Andon has or lacks; ``quick`` leaves out what takes more than a moment."""
    found = [_python(), _gpu(), *_power_mode(), _open_files(), _clock()]
    return found if quick else [*found, _disk()]


def ask_python(code: str, *, patience: float = 60.0) -> tuple[bool, str]:
    """Run ``code`` in another interpreter: a library that crashes on import cannot take this one with it."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {patience:g} s"
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, said[-1].strip() if said else f"exit status {done.returncode}"


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.machine()}"
    return Check(name="Python", state=State.OK, found=found, required=True)


def _gpu() -> Check:
    """A driver that answers, not a file that lies around."""
    program = shutil.which("nvidia-smi")
    if program is None:
        tegra = Path("/etc/nv_tegra_release")
        if tegra.exists():
            return Check(name="GPU", state=State.OK, found=tegra.read_text().splitlines()[0].strip("# "))
        return _no_gpu("no NVIDIA driver")
    query = [program, "--query-gpu=name,compute_cap,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return _no_gpu("nvidia-smi does not answer")
    if done.returncode != 0 or not done.stdout.strip():
        said = (done.stdout + done.stderr).strip().splitlines()
        return _no_gpu(said[0] if said else f"nvidia-smi ends with {done.returncode} and says nothing")
    return Check(name="GPU", state=State.OK, found="; ".join(done.stdout.strip().splitlines()))


def _no_gpu(found: str) -> Check:
    return Check(
        name="GPU",
        state=State.WARNING,
        found=found,
        remedy="everything runs on the CPU; for a GPU, install NVIDIA's driver and pip install 'andon[gpu]'",
    )


def _power_mode() -> list[Check]:
    """Of a Jetson: a mode may switch multiprocessors off, and an engine fits one number of them."""
    program = shutil.which("nvpmodel")
    if program is None:
        return []
    try:
        done = subprocess.run([program, "-q"], capture_output=True, text=True, timeout=10, check=False)
        said = done.stdout + done.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    mode = re.search(r"Power Mode: *(\S+)", said)
    if mode:
        return [Check(name="power mode", state=State.OK, found=mode[1])]
    found = (said.strip().splitlines() or ["nvpmodel says nothing"])[0]
    return [Check(name="power mode", state=State.WARNING, found=found, remedy="ask it as root: nvpmodel -q")]


def _open_files() -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= WANTED_FILES:
        return Check(name="open files", state=State.OK, found=f"limit {soft}")
    return Check(
        name="open files",
        state=State.WARNING,
        found=f"limit {soft}",
        remedy=f"a hub with many devices needs more: ulimit -n {WANTED_FILES}, or LimitNOFILE in its unit",
    )


def _clock() -> Check:
    """Asks timedatectl; without systemd nobody can say, and that is what it says."""
    program = shutil.which("timedatectl")
    done = program and subprocess.run(
        [program, "show", "--property=NTPSynchronized", "--value"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    if not done or done.returncode != 0:
        return Check(
            name="clock",
            state=State.WARNING,
            found="nobody here can say whether it is synchronised",
            remedy="make sure that NTP or PTP sets this clock: samples carry its time",
        )
    if done.stdout.strip() == "yes":
        return Check(name="clock", state=State.OK, found="synchronised")
    return Check(
        name="clock",
        state=State.WARNING,
        found="not synchronised",
        remedy="timedatectl set-ntp true, or install chrony: samples carry this clock's time",
    )


def _disk() -> Check:
    """How often a second this disk can promise that something stays: the limit of every queue."""
    folder = Path(tempfile.mkdtemp(prefix="andon-"))
    try:
        rate = _sync_rate(folder / "probe")
    except OSError as error:
        return Check(name="disk", state=State.WARNING, found=f"cannot be tried: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = f"{rate:.0f} synced writes a second in {folder.parent}"
    if rate >= SLOW_SYNCS:
        return Check(name="disk", state=State.OK, found=found)
    return Check(
        name="disk",
        state=State.WARNING,
        found=found,
        remedy="slow: batches still go at this rate, each with many samples; an SSD gives hundreds",
    )


def _sync_rate(path: Path) -> float:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        began = time.perf_counter()
        for _ in range(SYNCS):
            os.write(descriptor, bytes(4096))
            os.fdatasync(descriptor)
        return SYNCS / (time.perf_counter() - began)
    finally:
        os.close(descriptor)
