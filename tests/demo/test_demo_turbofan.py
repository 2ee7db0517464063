"""The whole factory on recorded engines, as a person would run it: by the command."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

TRAINING_ENGINES, TEST_ENGINES = 30, 24


def reduced(source: Path, target: Path, engines: int) -> None:
    """The first ``engines`` of a recording."""
    with gzip.open(source, "rt") as whole, target.open("w") as part:
        part.writelines(line for line in whole if int(line.split()[0]) <= engines)


@pytest.fixture
def few_engines(recorded_data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "cmapss"
    folder.mkdir()
    recorded = recorded_data / "cmapss"
    reduced(recorded / "train_FD001.txt.gz", folder / "train_FD001.txt", TRAINING_ENGINES)
    reduced(recorded / "test_FD001.txt.gz", folder / "test_FD001.txt", TEST_ENGINES)
    lives = (recorded / "RUL_FD001.txt").read_text().splitlines()[:TEST_ENGINES]
    (folder / "RUL_FD001.txt").write_text("\n".join(lives) + "\n")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_recorded_engines_are_learned_rolled_out_and_predicted_by_devices(
    few_engines: Path, state_root: Path
) -> None:
    """Thirty of a hundred engines: too few for the bar of the whole recording, enough to beat a guess."""
    command = [sys.executable, "-P", "-m", "andon", "demo", "--exit", "--json", "--data", str(few_engines)]
    done = subprocess.run(
        [*command, "--folder", str(state_root / "demo")],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.stdout, done.stderr[-2000:]
    facts = {fact["name"]: fact for fact in json.loads(done.stdout)}
    wrong = {name for name, fact in facts.items() if not fact["holds"]}
    assert wrong <= {f"RMSE, clip (FD001, {TEST_ENGINES} engines)"}
    assert facts["samples produced = samples stored"]["holds"]
    assert facts["the same of the trivial baseline"]["holds"]


def test_a_folder_without_recordings_is_refused_in_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "andon", "demo", "--exit", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "expected train_FD001.txt" in done.stderr


def test_a_folder_with_somebodys_files_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    command = [sys.executable, "-P", "-m", "andon", "demo", "--exit", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "no demonstration made" in done.stderr
    assert (tmp_path / "thesis.tex").exists()
