"""Machine code lies where it is told to, is used again only as it was sealed, and never stops a start."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kernels import machine_code
from kernels.errors import KernelInputError

# Starts as an agent does; prints how many functions had to be compiled, and a feature.
START = """
import json, sys
from pathlib import Path
from kernels import machine_code
machine_code.keep_in(Path(sys.argv[1]))
import numpy as np
from kernels import cpu, extractor, layout, rows, sets
sets.warm("vibration/1")
made = sets.make("vibration/1", scalars=["speed"], waveforms=[("vibration", 256.0, 0)], units={"speed": "Hz"})
row = made.update(made.initial(), 0, [10.0], [np.sin(np.arange(256, dtype=np.float32))])
loops = [value for module in (cpu, extractor, layout, rows) for value in vars(module).values() if hasattr(value, "stats")]
missed = sum(sum(loop.stats.cache_misses.values()) for loop in loops)
print(json.dumps({"compiled": missed, "rms": float(row[0])}))
"""

# Computes without having proved the code, as the commands of a hub do; prints how often it compiled.
READ = """
import sys
from pathlib import Path
from kernels import machine_code
machine_code.keep_in(Path(sys.argv[1]))
import numpy as np
from kernels import extractor
extractor.read_window(np.ones(64, np.float32), "vibration", shortest=64)
print(sum(extractor._unsound.stats.cache_misses.values()))
"""


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has compiled nothing yet."""
    monkeypatch.setattr(machine_code, "_chosen", [])


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory after a start, which found there what other sessions have compiled so far."""
    kept = machine_code.folder()
    assert kept is not None
    machine_code.seal()
    state_dir = tmp_path_factory.mktemp("state")
    with suppress(shutil.Error):  # another session may delete what it did not seal itself
        shutil.copytree(kept, state_dir / kept.name)
    start(state_dir)
    return state_dir


def start(state_dir: Path, code: str = START) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code, str(state_dir)], check=True, capture_output=True, timeout=120
    )
    return json.loads(done.stdout)


def hand_made(parent: Path, **files: str) -> Path:
    """A folder as a start chose it, with these files in it."""
    machine_code.keep_in(parent)
    own = machine_code.folder()
    assert own is not None
    for name, text in files.items():
        (own / f"{name}.nbc").write_text(text)
    return own


def test_a_start_with_the_code_of_the_last_compiles_nothing(warm: Path) -> None:
    found = start(warm)
    assert found["compiled"] == 0
    assert found["rms"] == pytest.approx(0.7071, abs=0.01)


def test_damaged_code_is_compiled_anew_and_the_next_start_has_it(warm: Path, tmp_path: Path) -> None:
    state_dir = Path(shutil.copytree(warm, tmp_path / "state"))
    (index,) = state_dir.rglob("layout._line_bins-*.nbi")
    (code,) = state_dir.rglob("extractor._unsound-*.1.nbc")
    index.write_bytes(b"")  # as after a power failure
    code.write_bytes(code.read_bytes()[:-1] + b"\0")
    found = start(state_dir)
    assert found["compiled"] >= 2
    assert found["rms"] == pytest.approx(0.7071, abs=0.01)
    assert start(state_dir)["compiled"] == 0


def test_code_that_served_to_the_end_of_a_process_is_there_for_the_next(tmp_path: Path) -> None:
    assert [start(tmp_path, READ) for _ in range(2)] == [1, 0]


def test_what_nobody_sealed_or_somebody_changed_is_deleted(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = hand_made(tmp_path, sound="proved", changed="proved")
    machine_code.seal()
    (own / "changed.nbc").write_text("Proved")
    (own / "late.nbc").write_text("not proved")
    monkeypatch.setattr(machine_code, "_chosen", [])
    machine_code.keep_in(tmp_path)
    assert sorted(file.name for file in own.glob("*.nbc")) == ["sound.nbc"]


def test_what_a_disk_changed_while_a_process_ran_is_not_sealed_at_its_end_and_what_was_written_anew_is(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = hand_made(tmp_path, rotten="proved", replaced="proved")
    machine_code.seal()
    rotten, replaced = own / "rotten.nbc", own / "replaced.nbc"
    written = rotten.stat().st_mtime_ns
    rotten.write_text("Proved")
    os.utime(rotten, ns=(written, written))
    (own / "new").write_text("compiled for other types too")
    (own / "new").replace(replaced)
    machine_code.seal()
    monkeypatch.setattr(machine_code, "_chosen", [])
    monkeypatch.setattr(machine_code, "_read", {})  # the next process
    machine_code.keep_in(tmp_path)
    assert [file.name for file in own.glob("*.nbc")] == ["replaced.nbc"]


@pytest.mark.parametrize("seal", ["", "{", "[]", '{"sound.nbc": 1}'])
def test_a_damaged_seal_seals_nothing(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seal: str
) -> None:
    own = hand_made(tmp_path, sound="proved")
    (own / machine_code.SEAL).write_text(seal)
    monkeypatch.setattr(machine_code, "_chosen", [])
    machine_code.keep_in(tmp_path)
    assert not list(own.glob("*.nbc"))


def test_an_edit_in_any_file_of_the_kernels_is_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = Path(shutil.copytree(Path(machine_code.__file__).parent, tmp_path / "kernels"))
    monkeypatch.setattr(machine_code, "_HERE", sources)
    before = machine_code._text.__wrapped__()
    assert before == machine_code._text()
    with (sources / "rows.py").open("a") as file:
        file.write("# called by others\n")
    assert machine_code._text.__wrapped__() != before


def test_what_older_versions_left_goes_but_for_the_newest(fresh: None, tmp_path: Path) -> None:
    for age in range(6):
        older = tmp_path / f"kernels-{age}"
        older.mkdir()
        (older / "old.nbc").write_text("old")
    (tmp_path / "models").mkdir()
    own = hand_made(tmp_path)
    left = {folder.name for folder in tmp_path.iterdir()}
    assert len(left) == machine_code.OTHERS + 2
    assert {own.name, "models"} <= left


def test_where_one_place_cannot_be_written_to_the_next_is_taken(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(machine_code.config, "CACHE_DIR", str(tmp_path / "named"))
    machine_code.keep_in(tmp_path / "file")
    own = machine_code.folder()
    assert own is not None
    assert own.parent == tmp_path / "named"


def test_where_nothing_can_be_written_nothing_is_kept_and_nothing_fails(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(machine_code, "_HERE", tmp_path / "file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    machine_code.keep_in(tmp_path / "file")
    assert machine_code.folder() is None
    machine_code.seal()
    with machine_code.kept() as place:
        assert not place


def test_a_folder_that_is_named_too_late_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KernelInputError, match=r"folder for machine code: expected nothing after .* got"):
        machine_code.keep_in(tmp_path)
