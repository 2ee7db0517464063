"""``andon bench models``: every use case has its rows, and one whose recordings are missing says so."""

from importlib import resources
from pathlib import Path

import pytest

from cloud_hub.training.bench_models import RECORDED, models
from firmware_configs.figures import judge
from models import use_case


def test_every_use_case_that_ships_has_a_benchmark() -> None:
    for module in RECORDED:
        package, _, name = module.rpartition(".")
        assert (resources.files(package) / f"{name}.py").is_file(), module
    subjects = {module.rpartition("bench_")[2] for module in RECORDED if "bench_" in module}
    assert {name.split("-")[0] for name in use_case.names()} == subjects


def test_a_use_case_without_its_recordings_is_named_and_judges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDON_DATA", str(tmp_path))
    rows = models(lambda *_: {}, quick=True)
    found = [judge(next(rows), quick=True, full="andon bench models") for _ in range(3)]
    assert [figure.holds for figure in found] == [None] * 3
    assert all(f"no recordings in {tmp_path}" in figure.figure for figure in found)
