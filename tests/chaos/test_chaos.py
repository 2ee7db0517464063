"""A short storm over a factory of real processes: every kind of fault once, and every sample accounted for.

``make chaos MINUTES=10 SEED=1`` is the same for longer.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from chaos_schedule import Kind

from cloud_hub.parts.broker import find_mosquitto

MINUTES = "2"  # of faults; building the factory and delivering what it held come on top


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_under_every_kind_of_fault_nothing_is_lost_doubled_or_unexplained() -> None:
    if find_mosquitto() is None:
        pytest.skip("no mosquitto on this machine: the embedded broker cannot tell agents from each other")
    program = Path(__file__).with_name("chaos_main.py")
    command = [sys.executable, str(program), "--minutes", MINUTES, "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=580, check=False)
    said = done.stdout + done.stderr
    sentence = r"lost 0, doubled 0, unexplained 0, kills (\d+), cuts (\d+), samples (\d+)"
    found = re.fullmatch(sentence, done.stdout.strip().splitlines()[-1])
    assert found, said
    assert done.returncode == 0, said
    kills, cuts, samples = map(int, found.groups())
    assert min(kills, cuts) >= 3
    assert samples > 10_000
    (performed,) = re.findall(r"^faults: (.*)$", done.stdout, re.MULTILINE)
    missing = set(re.findall(r"^not to be had here: (\S+):", done.stdout, re.MULTILINE))
    assert {item.split()[0] for item in performed.split(", ")} | missing == set(map(str, Kind)), said
